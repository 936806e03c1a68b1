<?php
// In the place of WordPress: a page with a row of its database, which the first request writes.
require __DIR__ . '/wp-config.php';
mysqli_report(MYSQLI_REPORT_OFF);
[$host, $port] = explode(':', DB_HOST, 2) + [1 => '3306'];
$database = @mysqli_connect($host, DB_USER, DB_PASSWORD, DB_NAME, (int) $port);
if (!$database) {
    http_response_code(500);
    exit('Error establishing a database connection: ' . mysqli_connect_error() . "\n");
}
$table = $table_prefix . 'options';
$database->query("CREATE TABLE IF NOT EXISTS $table (option_name VARCHAR(191) PRIMARY KEY, option_value LONGTEXT)");
$database->query("INSERT IGNORE INTO $table VALUES ('first_request', CONCAT('row ', UUID()))");
$row = $database->query("SELECT option_value FROM $table WHERE option_name = 'first_request'")->fetch_row();
echo "$row[0] of $database->server_info, upload " . ini_get('upload_max_filesize') . "\n";
