#!/bin/sh
# Real nginx behind the rules of the entry point of 2.2, which checks nothing: an empty place of a proxy_pass is
# refused by nginx itself. A certificate that is not there is made, as OMniLeads' image has one of its own.
set -e
certificates=/etc/omnileads/certs
mkdir -p "$certificates" /run/nginx
if [ ! -s "$certificates/cert.pem" ] || [ ! -s "$certificates/key.pem" ]; then
    (umask 077 && openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 365 \
        -subj "/CN=$(hostname)" -keyout "$certificates/key.pem" -out "$certificates/cert.pem" 2>/dev/null)
fi
recordings="location /recordings/ { proxy_pass $S3_ENDPOINT; }"
[ "$CALLREC_DEVICE" != s3-aws ] || recordings=
# A connection that a browser turns into a WebSocket stays as long as both sides want it.
lasting='proxy_http_version 1.1;
    proxy_set_header Upgrade $http_upgrade;
    proxy_set_header Connection upgrade;
    proxy_set_header Host $host;
    proxy_read_timeout 7d;
    proxy_send_timeout 7d;'
# Whoever asks at port 80 is sent on to 443.
cat > /run/nginx/redirect.conf <<'END'
server {
    listen 80;
    rewrite ^ https://$http_host$request_uri? permanent;
}
END
cat > /run/nginx/server.conf <<END
listen 443 ssl;
ssl_certificate $certificates/cert.pem;
ssl_certificate_key $certificates/key.pem;
proxy_connect_timeout 2s;
add_header X-Version "$(cat /oml/version)" always;
include /etc/nginx/conf.d/environment/*.conf;
location ~ ^/channels {
    $lasting
    proxy_pass http://$DAPHNE_HOSTNAME:$ASGI_PORT;
}
location ~* ^/ws\$ {
    $lasting
    proxy_pass https://$KAMAILIO_HOSTNAME:$KAMAILIO_PORT;
}
location /consumers {
    $lasting
    proxy_pass http://$WEBSOCKETS_HOSTNAME:$WEBSOCKETS_PORT;
}
location / { proxy_pass http://$DJANGO_HOSTNAME:$WSGI_PORT; }
$recordings
END
exec /usr/sbin/nginx -g 'daemon off;'
