#!/bin/sh
# Real nginx with TLS; a certificate that is not there is made at the first start.
set -e
certificates=${NGINX_CERTS_LOCATION:-/etc/omnileads/certs}
mkdir -p "$certificates" /run/nginx
if [ ! -s "$certificates/cert.pem" ] || [ ! -s "$certificates/key.pem" ]; then
    (umask 077 && openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 365 \
        -subj "/CN=$(hostname)" -keyout "$certificates/key.pem" -out "$certificates/cert.pem" 2>/dev/null)
fi
cat > /run/nginx/server.conf <<END
listen ${NGINX_PORT:-443} ssl;
ssl_certificate $certificates/cert.pem;
ssl_certificate_key $certificates/key.pem;
add_header X-Version "$(cat /oml/version)" always;
location = / { default_type application/json; return 200 '{"component":"nginx","version":"$(cat /oml/version)"}\n'; }
location = /nginx_status { stub_status; }
location / { proxy_pass http://${DJANGO_HOSTNAME:-127.0.0.1}:${UWSGI_PORT:-8099}; proxy_connect_timeout 2s; }
END
exec /usr/sbin/nginx -c /etc/nginx/lab.conf -g 'daemon off;'
