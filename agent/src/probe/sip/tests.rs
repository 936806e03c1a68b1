use super::*;

fn request() -> Request {
    Request::new(
        "127.0.0.1:5060".parse().unwrap(),
        "127.0.0.1:40000".parse().unwrap(),
        &Random::system(),
    )
}

fn answer(request: &Request, status: &str) -> String {
    format!(
        "SIP/2.0 {status}\r\nv: SIP/2.0/UDP 127.0.0.1:40000;rport=40000;branch={};received=127.0.0.1\r\n\
         call-id: {}\r\nCSEQ: 1  OPTIONS\r\nContent-Length: 0\r\n\r\n",
        request.branch, request.call_id
    )
}

#[test]
fn a_final_answer_to_this_request_counts_with_any_status() {
    let request = request();
    for (status, number) in [("200 OK", 200), ("404 Not Found", 404), ("503 Busy", 503)] {
        assert_eq!(request.final_status(&answer(&request, status)), Some(number));
    }
}

#[test]
fn anything_else_is_waited_past() {
    let (request, other) = (request(), self::request());
    assert_ne!(request.call_id, other.call_id);
    assert_eq!(request.final_status(&answer(&request, "100 Trying")), None);
    assert_eq!(request.final_status(&answer(&other, "200 OK")), None);
    assert_eq!(request.final_status("OPTIONS sip:x SIP/2.0\r\n\r\n"), None);
    assert_eq!(request.final_status(""), None);
    let wrong_method = answer(&request, "200 OK").replace("OPTIONS", "REGISTER");
    assert_eq!(request.final_status(&wrong_method), None);
}

#[test]
fn the_request_says_what_the_standard_asks_for() {
    let request = request();
    let text = request.text();
    for header in ["Via: ", "Max-Forwards: ", "From: ", "To: ", "Call-ID: ", "CSeq: 1 OPTIONS"] {
        assert!(text.contains(&format!("\r\n{header}")), "{header}");
    }
    assert!(text.contains(";tag="));
    assert!(request.branch.starts_with("z9hG4bK"));
    assert!(text.ends_with("Content-Length: 0\r\n\r\n"));
}
