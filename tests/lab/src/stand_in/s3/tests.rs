use super::*;

fn request(head: &str) -> HttpRequest {
    HttpRequest::read(&mut head.replace('\n', "\r\n").as_bytes()).unwrap().unwrap()
}

fn store(folder: &Path) -> Store<'_> {
    Store { folder, drive: Drive::default() }
}

/// Returns the status and the body of the answer to a request.
fn asked(folder: &Path, first: &str, body: &str) -> (u16, String) {
    let head = format!("{first} HTTP/1.1\nContent-Length: {}\n\n", body.len());
    let answer = answer(store(folder), &request(&head), &mut body.as_bytes()).unwrap();
    (answer.status, String::from_utf8(answer.body).unwrap())
}

#[test]
fn an_object_is_put_got_listed_and_deleted() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    assert_eq!(asked(folder, "PUT /oml/a", "x").0, 404);
    assert_eq!(asked(folder, "PUT /oml", "").0, 200);
    assert_eq!(asked(folder, "PUT /oml/2026/call%201.wav", "sound").0, 200);
    assert_eq!(asked(folder, "PUT /oml/2026/call%201.wav", "sounds").0, 200);
    assert_eq!(asked(folder, "GET /oml/2026/call%201.wav", "").1, "sounds");
    let listed = asked(folder, "GET /oml?list-type=2&prefix=2026%2F", "").1;
    assert!(listed.contains("<Key>2026/call 1.wav</Key><Size>6</Size>"), "{listed}");
    assert!(!asked(folder, "GET /oml?prefix=2025", "").1.contains("<Key>"));
    assert!(asked(folder, "GET /", "").1.contains("<Name>oml</Name>"));
    assert_eq!(asked(folder, "DELETE /oml/2026/call%201.wav", "").0, 204);
    assert_eq!(asked(folder, "DELETE /oml/2026/call%201.wav", "").0, 204);
    assert_eq!(asked(folder, "GET /oml/2026/call%201.wav", "").0, 404);
}

#[test]
fn a_name_that_leads_out_of_the_folder_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    for path in ["/oml/../a", "/..", "/oml/%2e%2e/a", "/oml//a", "/.hidden/a", "/oml/%00", "/%zz"] {
        assert_eq!(asked(folder.path(), &format!("PUT {path}"), "x").0, 400, "{path}");
    }
}

#[test]
fn an_object_that_is_cut_short_or_signed_in_chunks_is_not_stored() {
    let folder = tempfile::tempdir().unwrap();
    asked(folder.path(), "PUT /oml", "");
    let cut = request("PUT /oml/a HTTP/1.1\nContent-Length: 9\n\n");
    assert_eq!(answer(store(folder.path()), &cut, &mut "short".as_bytes()).unwrap().status, 400);
    let chunks = "PUT /oml/a HTTP/1.1\nContent-Length: 5\n\
                  x-amz-content-sha256: STREAMING-AWS4-HMAC-SHA256-PAYLOAD\n\n";
    let refused = answer(store(folder.path()), &request(chunks), &mut "5;sig".as_bytes()).unwrap();
    assert_eq!(refused.status, 501);
    assert!(!asked(folder.path(), "GET /oml", "").1.contains("<Key>"));
}

#[test]
fn an_object_of_either_form_of_a_drive_is_put_got_listed_and_deleted() {
    for drive in [Drive::Fs, Drive::XlSingle] {
        let folder = tempfile::tempdir().unwrap();
        let store = Store { folder: folder.path(), drive };
        let asked = |first: &str, body: &str| {
            let head = format!("{first} HTTP/1.1\nContent-Length: {}\n\n", body.len());
            let answer = answer(store, &request(&head), &mut body.as_bytes()).unwrap();
            (answer.status, String::from_utf8(answer.body).unwrap())
        };
        assert_eq!(asked("PUT /oml", "").0, 200);
        assert_eq!(asked("PUT /oml/2026/a.wav", "sound").0, 200);
        assert_eq!(asked("PUT /oml/2026/b.wav", "sounds").0, 200);
        assert_eq!(asked("GET /oml/2026/a.wav", "").1, "sound");
        assert_eq!(asked("DELETE /oml/2026/a.wav", "").0, 204);
        let listed = asked("GET /oml", "").1;
        assert!(listed.contains("<Key>2026/b.wav</Key><Size>6</Size>"), "{listed}");
        assert!(!listed.contains("a.wav") && !listed.contains("xl.meta"), "{listed}");
    }
}
