#!/bin/sh
# Real nginx with the keys of 1.26, which has none for ports: they are those of its deploy tool. A certificate that
# is not there is made, as OMniLeads' image has one of its own.
set -e
certificates=/etc/omnileads/certs
mkdir -p "$certificates" /run/nginx
if [ ! -s "$certificates/cert.pem" ] || [ ! -s "$certificates/key.pem" ]; then
    (umask 077 && openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 365 \
        -subj "/CN=$(hostname)" -keyout "$certificates/key.pem" -out "$certificates/cert.pem" 2>/dev/null)
fi
# A connection that a browser turns into a WebSocket stays as long as both sides want it.
lasting='proxy_http_version 1.1;
    proxy_set_header Upgrade $http_upgrade;
    proxy_set_header Connection upgrade;
    proxy_set_header Host $host;
    proxy_read_timeout 7d;
    proxy_send_timeout 7d;'
cat > /run/nginx/server.conf <<END
listen 443 ssl;
ssl_certificate $certificates/cert.pem;
ssl_certificate_key $certificates/key.pem;
proxy_connect_timeout 2s;
add_header X-Version "$(cat /oml/version)" always;
location ~ ^/channels {
    $lasting
    proxy_pass http://$DAPHNE_HOSTNAME:8099;
}
location ~* ^/ws\$ {
    $lasting
    proxy_pass https://$KAMAILIO_HOSTNAME:14443;
}
location /consumers {
    $lasting
    proxy_pass http://$WEBSOCKETS_HOSTNAME:8000;
}
location / { proxy_pass http://$DJANGO_HOSTNAME:8098; }
END
exec /usr/sbin/nginx -g 'daemon off;'
