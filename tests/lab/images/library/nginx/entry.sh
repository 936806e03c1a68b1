#!/bin/sh
# Stands in for docker.io/library/nginx:1.28, with the nginx of Debian 12, which is 1.22: no directive of the example
# came later. Its rules are those of https://github.com/nginx/docker-nginx (stable/debian/Dockerfile):
# - The program is the argument, run as it is; SIGQUIT stops it.
# - nginx.conf includes conf.d/*.conf, of which default.conf serves port 80. The workers are the user nginx (101), and
#   the logs are the output of the container.
# Left out, because nothing here uses it: the scripts of /docker-entrypoint.d, such as those for templates.
set -e
grep -q '^nginx:' /etc/passwd || echo 'nginx:x:101:101:nginx user:/nonexistent:/bin/false' >> /etc/passwd
grep -q '^nginx:' /etc/group || echo 'nginx:x:101:' >> /etc/group
mkdir -p /var/log/nginx
ln -sf /dev/stdout /var/log/nginx/access.log
ln -sf /dev/stderr /var/log/nginx/error.log
exec "$@"
