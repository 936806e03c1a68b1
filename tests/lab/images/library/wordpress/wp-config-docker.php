<?php
function of_container(string $name, string $default): string
{
    $file = getenv($name . '_FILE');
    if ($file) {
        return rtrim(file_get_contents($file), "\r\n");
    }
    $value = getenv($name);
    return $value === false ? $default : $value;
}
define('DB_NAME', of_container('WORDPRESS_DB_NAME', 'wordpress'));
define('DB_USER', of_container('WORDPRESS_DB_USER', 'example username'));
define('DB_PASSWORD', of_container('WORDPRESS_DB_PASSWORD', 'example password'));
define('DB_HOST', of_container('WORDPRESS_DB_HOST', 'mysql'));
define('WP_DEBUG', (bool) of_container('WORDPRESS_DEBUG', ''));
$table_prefix = of_container('WORDPRESS_TABLE_PREFIX', 'wp_');
