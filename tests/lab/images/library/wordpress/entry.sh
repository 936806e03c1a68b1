#!/bin/sh
# Stands in for docker.io/library/wordpress:6.8-php8.2-fpm, with the PHP of Debian 12, which is 8.2 too, and a page of
# the lab in the place of WordPress. Its rules are those of https://github.com/docker-library/wordpress
# (docker-entrypoint.sh, wp-config-docker.php, Dockerfile-debian.template) and https://github.com/docker-library/php
# (8.2/bookworm/fpm/Dockerfile):
# - With php-fpm as the first argument, the page is copied into /var/www/html if neither index.php nor
#   wp-includes/version.php is there, as the user www-data. Another program is run as it is.
# - wp-config.php is made once: if there is none and a variable WORDPRESS_… is set. It reads the variables, or the files
#   that NAME_FILE names, at every request, as www-data.
# - php-fpm reads /usr/local/etc/php-fpm.conf, then php-fpm.d/*.conf in the order of their names, of which zz-docker.conf
#   makes it listen at port 9000 of every address; and the .ini files of /usr/local/etc/php/conf.d.
# - Its workers are www-data, and have the environment of the container. SIGQUIT stops it.
set -e
if [ "${1:-}" = php-fpm ]; then
    if [ ! -e index.php ] && [ ! -e wp-includes/version.php ]; then
        chown www-data: .
        echo "WordPress not found in $PWD - copying now..." >&2
        tar --create --directory=/usr/src/wordpress --owner=www-data --group=www-data . | tar --extract --no-overwrite-dir
    fi
    if [ ! -s wp-config.php ] && env | grep -q '^WORDPRESS_'; then
        cp wp-config-docker.php wp-config.php
        chown www-data: wp-config.php
    fi
fi
exec "$@"
