//! The next step of an order, from what the directory says of it (RFC 8555 §7.1.6).

/// An order as the directory has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OrderView {
    pub state: OrderState,
    pub error: Option<String>,
    /// Whether each host name is proved. Empty if the order does not wait for that.
    pub authorizations: Vec<AuthorizationView>,
}

/// The state of an order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OrderState {
    /// Its host names have to be proved.
    Pending,
    /// All of them are proved.
    Ready,
    /// The certificate is being issued.
    Processing,
    /// The certificate is there.
    Valid,
    /// It failed and does not go on.
    Invalid,
}

/// Whether a host name is proved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuthorizationView {
    pub name: String,
    pub state: AuthorizationState,
    /// The HTTP-01 challenge; none if the directory offers none.
    pub challenge: Option<ChallengeState>,
    /// Why the challenge failed.
    pub error: Option<String>,
}

/// The state of the proof of a host name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AuthorizationState {
    Pending,
    Valid,
    /// It failed, or is not valid any more.
    Ended,
}

/// The state of a challenge.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChallengeState {
    /// The directory waits for the word that the answer is there.
    Open,
    /// The directory asks the web server, or has asked it.
    Checked,
}

/// The next step of an order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OrderStep {
    /// The directory gets the word that the answers to its open challenges are there.
    Answer,
    /// The directory is asked again later.
    Wait,
    /// The certificate is requested.
    Finalize,
    /// The certificate is fetched.
    Download,
    /// It failed, for this reason.
    Fail(String),
}

/// Decides the next step of an order.
#[must_use]
pub fn order_step(view: &OrderView) -> OrderStep {
    match view.state {
        OrderState::Pending => proofs_step(&view.authorizations),
        OrderState::Ready => OrderStep::Finalize,
        OrderState::Processing => OrderStep::Wait,
        OrderState::Valid => OrderStep::Download,
        OrderState::Invalid => OrderStep::Fail(why_invalid(view)),
    }
}

fn proofs_step(authorizations: &[AuthorizationView]) -> OrderStep {
    let pending = || authorizations.iter().filter(|it| it.state == AuthorizationState::Pending);
    if authorizations.iter().any(|it| it.state == AuthorizationState::Ended) {
        return OrderStep::Fail(why_ended(authorizations));
    }
    if let Some(without) = pending().find(|it| it.challenge.is_none()) {
        let name = &without.name;
        return OrderStep::Fail(format!("the directory offers no HTTP-01 challenge for {name}"));
    }
    match pending().any(|it| it.challenge == Some(ChallengeState::Open)) {
        true => OrderStep::Answer,
        false => OrderStep::Wait,
    }
}

fn why_invalid(view: &OrderView) -> String {
    let ended = why_ended(&view.authorizations);
    match &view.error {
        Some(error) if ended.is_empty() => error.clone(),
        None if ended.is_empty() => "the directory refused the order without a reason".to_owned(),
        Some(_) | None => ended,
    }
}

/// Returns why each host name that is not proved is not; empty if there is none.
fn why_ended(authorizations: &[AuthorizationView]) -> String {
    let ended = authorizations.iter().filter(|it| it.state == AuthorizationState::Ended);
    let why = ended.map(|it| match &it.error {
        Some(error) => format!("{}: {error}", it.name),
        None => format!("{}: the proof is not valid any more", it.name),
    });
    why.collect::<Vec<_>>().join("; ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn authorization(
        state: AuthorizationState,
        challenge: Option<ChallengeState>,
    ) -> AuthorizationView {
        AuthorizationView { name: "a.example.com".to_owned(), state, challenge, error: None }
    }

    fn step(state: OrderState, authorizations: Vec<AuthorizationView>) -> OrderStep {
        order_step(&OrderView { state, error: None, authorizations })
    }

    #[test]
    fn an_order_is_answered_then_requested_then_fetched() {
        let open = authorization(AuthorizationState::Pending, Some(ChallengeState::Open));
        let checked = authorization(AuthorizationState::Pending, Some(ChallengeState::Checked));
        let proved = authorization(AuthorizationState::Valid, None);
        let pending = OrderState::Pending;
        assert_eq!(step(pending, vec![proved.clone(), open]), OrderStep::Answer);
        assert_eq!(step(pending, vec![proved.clone(), checked]), OrderStep::Wait);
        assert_eq!(step(pending, vec![proved]), OrderStep::Wait);
        assert_eq!(step(OrderState::Ready, Vec::new()), OrderStep::Finalize);
        assert_eq!(step(OrderState::Processing, Vec::new()), OrderStep::Wait);
        assert_eq!(step(OrderState::Valid, Vec::new()), OrderStep::Download);
    }

    #[test]
    fn a_refused_order_says_which_name_was_refused_and_why() {
        let refused = AuthorizationView {
            error: Some("connection refused".to_owned()),
            ..authorization(AuthorizationState::Ended, Some(ChallengeState::Checked))
        };
        let open = authorization(AuthorizationState::Pending, Some(ChallengeState::Open));
        let reason = OrderStep::Fail("a.example.com: connection refused".to_owned());
        assert_eq!(step(OrderState::Pending, vec![open, refused.clone()]), reason);
        assert_eq!(step(OrderState::Invalid, vec![refused]), reason);
        let of_order = OrderView {
            state: OrderState::Invalid,
            error: Some("no such name".to_owned()),
            authorizations: Vec::new(),
        };
        assert_eq!(order_step(&of_order), OrderStep::Fail("no such name".to_owned()));
        let without = OrderView { error: None, ..of_order };
        assert!(matches!(order_step(&without), OrderStep::Fail(why) if why.contains("reason")));
        let other =
            step(OrderState::Pending, vec![authorization(AuthorizationState::Pending, None)]);
        assert!(matches!(other, OrderStep::Fail(why) if why.contains("no HTTP-01 challenge")));
    }
}
