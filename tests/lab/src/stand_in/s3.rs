//! A small part of S3: buckets that are made, listed and removed, and whole objects that are put, got and deleted. They
//! are files below one folder, in the form of the drives of MinIO, so a volume keeps them. Nobody needs a key, nothing is signed, and a body in chunks with
//! signatures is refused.

use std::fs;
use std::io::{self, BufReader, ErrorKind, Read};
use std::net::TcpStream;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

use super::drive::Drive;
use super::http::{HttpAnswer, HttpRequest};
use super::site::Site;

/// The size of the largest object.
const OBJECT_BYTES_MAX: u64 = 64 * 1024 * 1024;
/// The number of objects in one list, as S3 has it.
const LISTED_MAX: usize = 1000;
/// The beginning of the name of an upload that is not complete; no object can have it.
const UPLOAD: &str = ".upload";
/// The number of uploads so far, so that two at the same time have two files.
static UPLOADS: AtomicU64 = AtomicU64::new(0);

/// Where objects are, and in which form.
#[derive(Clone, Copy)]
struct Store<'a> {
    folder: &'a Path,
    drive: Drive,
}

/// Answers the request of a connection.
pub(super) fn serve_connection(stream: &TcpStream, site: &Site) -> io::Result<()> {
    let mut reader = BufReader::new(stream);
    let Some(request) = HttpRequest::read(&mut reader)? else { return Ok(()) };
    if site.listen.paths.contains_key(&request.path) {
        return HttpAnswer::of(site, &request).send(stream, &request);
    }
    let store = Store { folder: &site.folder, drive: site.drive };
    let answered = answer(store, &request, &mut reader.take(request.body_bytes()));
    answered.unwrap_or_else(|error| failed(&error)).send(stream, &request)
}

fn failed(error: &io::Error) -> HttpAnswer {
    let kind = error.kind();
    if kind == ErrorKind::NotFound {
        refused(404, "NoSuchKey")
    } else if [ErrorKind::AlreadyExists, ErrorKind::DirectoryNotEmpty].contains(&kind) {
        refused(409, "Conflict")
    } else {
        refused(500, &format!("InternalError: {error}"))
    }
}

fn answer(store: Store<'_>, request: &HttpRequest, body: &mut impl Read) -> io::Result<HttpAnswer> {
    let Store { folder, drive } = store;
    let Some(names) = names(&request.path) else { return Ok(refused(400, "InvalidArgument")) };
    let method = request.method.as_str();
    let Some((bucket, key)) = names.split_first() else {
        return Ok(if method == "GET" {
            buckets(folder)?
        } else {
            refused(405, "MethodNotAllowed")
        });
    };
    let bucket = folder.join(bucket);
    if key.is_empty() {
        return of_bucket(&bucket, drive, request);
    }
    if !bucket.is_dir() {
        return Ok(refused(404, "NoSuchBucket"));
    }
    let mut path = bucket.clone();
    path.extend(key);
    let file = drive.file(&path);
    match method {
        "PUT" => put(&bucket, &file, request, body),
        "GET" | "HEAD" if file.is_file() => Ok(HttpAnswer { body: fs::read(file)?, ..done(200) }),
        "GET" | "HEAD" => Ok(refused(404, "NoSuchKey")),
        "DELETE" => {
            let removed = drive.remove(&path);
            let is_missing =
                removed.as_ref().is_err_and(|error| error.kind() == ErrorKind::NotFound);
            if is_missing { Ok(done(204)) } else { removed.map(|()| done(204)) }
        }
        _ => Ok(refused(405, "MethodNotAllowed")),
    }
}

/// Returns the bucket and the parts of the key; nothing if they cannot be the names of files.
fn names(path: &str) -> Option<Vec<String>> {
    let path = decoded(path)?;
    let parts = path.strip_prefix('/')?.trim_end_matches('/');
    if parts.is_empty() {
        return Some(Vec::new());
    }
    let is_name = |part: &&str| !part.is_empty() && !part.starts_with('.') && !part.contains('\0');
    let names: Vec<&str> = parts.split('/').collect();
    names.iter().all(is_name).then(|| names.into_iter().map(str::to_owned).collect())
}

/// Returns a text whose bytes after percent signs are those of their numbers (RFC 3986 §2.1).
fn decoded(text: &str) -> Option<String> {
    let mut bytes = Vec::new();
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte != b'%' {
            bytes.push(byte);
            continue;
        }
        let mut digit = || char::from(rest.next()?).to_digit(16);
        let number = digit()? * 16 + digit()?;
        bytes.push(u8::try_from(number).ok()?);
    }
    String::from_utf8(bytes).ok()
}

fn of_bucket(bucket: &Path, drive: Drive, request: &HttpRequest) -> io::Result<HttpAnswer> {
    match request.method.as_str() {
        "PUT" => fs::create_dir_all(bucket).map(|()| done(200)),
        "GET" | "HEAD" if !bucket.is_dir() => Ok(refused(404, "NoSuchBucket")),
        "HEAD" => Ok(done(200)),
        "GET" => objects(bucket, drive, request),
        "DELETE" => fs::remove_dir(bucket).map(|()| done(204)),
        _ => Ok(refused(405, "MethodNotAllowed")),
    }
}

/// Stores an object. It appears whole or not at all.
fn put(
    bucket: &Path,
    path: &Path,
    request: &HttpRequest,
    body: &mut impl Read,
) -> io::Result<HttpAnswer> {
    let hash = request.header("x-amz-content-sha256").unwrap_or_default();
    if hash.starts_with("STREAMING-") || request.header("content-length").is_none() {
        return Ok(refused(501, "NotImplemented"));
    }
    let length = request.body_bytes();
    if length > OBJECT_BYTES_MAX {
        return Ok(refused(400, "EntityTooLarge"));
    }
    if path.is_dir() {
        return Ok(refused(409, "Conflict"));
    }
    let folder = path.parent().unwrap_or(bucket);
    fs::create_dir_all(folder)?;
    let number = UPLOADS.fetch_add(1, Ordering::Relaxed);
    let upload = folder.join(format!("{UPLOAD}-{number}"));
    let copied = fs::File::create(&upload).and_then(|mut file| io::copy(body, &mut file));
    if copied.as_ref().is_ok_and(|copied| *copied == length) {
        fs::rename(&upload, path)?;
        return Ok(done(200));
    }
    fs::remove_file(&upload)?;
    copied.map(|_short| refused(400, "IncompleteBody"))
}

/// Lists every bucket.
fn buckets(folder: &Path) -> io::Result<HttpAnswer> {
    let mut names = Vec::new();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if entry.file_type()?.is_dir() && !name.starts_with('.') {
            names.push(format!("<Bucket><Name>{}</Name></Bucket>", escaped(&name)));
        }
    }
    names.sort();
    let list = names.concat();
    Ok(xml(
        200,
        &format!("<ListAllMyBucketsResult><Buckets>{list}</Buckets></ListAllMyBucketsResult>"),
    ))
}

/// Lists the objects of a bucket whose keys begin with the prefix of the query.
fn objects(bucket: &Path, drive: Drive, request: &HttpRequest) -> io::Result<HttpAnswer> {
    let prefix = request.query.split('&').find_map(|part| part.strip_prefix("prefix="));
    let prefix = prefix.map_or(Some(String::new()), decoded).unwrap_or_default();
    let mut found = Vec::new();
    collect(bucket, drive, "", &mut found)?;
    found.retain(|(key, _)| key.starts_with(&prefix));
    found.sort();
    let is_cut = found.len() > LISTED_MAX;
    let listed = found.iter().take(LISTED_MAX).map(|(key, size)| {
        format!("<Contents><Key>{}</Key><Size>{size}</Size></Contents>", escaped(key))
    });
    let listed: String = listed.collect();
    let list = format!("<IsTruncated>{is_cut}</IsTruncated>{listed}");
    Ok(xml(200, &format!("<ListBucketResult>{list}</ListBucketResult>")))
}

/// Collects the keys and sizes of all objects below a folder.
fn collect(
    folder: &Path,
    drive: Drive,
    key: &str,
    found: &mut Vec<(String, u64)>,
) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if name.starts_with('.') {
            continue;
        }
        let file = drive.file(&entry.path());
        if file.is_file() {
            found.push((format!("{key}{name}"), fs::metadata(file)?.len()));
        } else if entry.file_type()?.is_dir() {
            collect(&entry.path(), drive, &format!("{key}{name}/"), found)?;
        }
    }
    Ok(())
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

fn xml(status: u16, body: &str) -> HttpAnswer {
    let text = format!("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n{body}\n");
    HttpAnswer { status, kind: "application/xml", location: None, body: text.into_bytes() }
}

fn done(status: u16) -> HttpAnswer {
    HttpAnswer { status, kind: "application/octet-stream", ..HttpAnswer::default() }
}

fn refused(status: u16, code: &str) -> HttpAnswer {
    xml(status, &format!("<Error><Code>{}</Code></Error>", escaped(code)))
}

#[cfg(test)]
mod tests;
