#!/bin/sh
# Stands in for object storage where a test keeps objects: nginx of Debian 12, which takes PUT, GET and DELETE of
# /BUCKET/KEY and keeps every object as a file below /data, as MinIO keeps its own below /data. It is no S3: it knows
# no signatures, lists, parts or versions. Its address for health is that of MinIO.
set -e
mkdir -p /data /run
exec nginx -c /etc/nginx/s3.conf
