#!/bin/sh
# The program of the image has these places built in; Debian's has others.
PHP_INI_SCAN_DIR=/etc/php/8.2/fpm/conf.d:/usr/local/etc/php/conf.d
export PHP_INI_SCAN_DIR
exec /usr/sbin/php-fpm8.2 --fpm-config /usr/local/etc/php-fpm.conf "$@"
