//! The session routes, mounted.

use actix_web::dev::HttpServiceFactory;
use actix_web::{HttpRequest, HttpResponse, web};
use session_core::{SessionManager, SessionPayload};

use crate::extract::receive;
use crate::response::response;
use crate::{Rejection, SessionMiddleware};

/// The [session routes](session_core::routes::answer) below `prefix`: mount with `.service(..)` on an app or a scope,
/// inside or outside of the manager's [`SessionMiddleware`].
///
/// Every method and every path below the prefix is answered here.
pub fn routes<U: SessionPayload>(
    prefix: &str,
    manager: &SessionManager<U>,
) -> impl HttpServiceFactory + use<U> {
    web::scope(prefix.trim_end_matches('/'))
        .default_service(web::to(answer::<U>))
        .wrap(SessionMiddleware::new(manager.clone()))
}

async fn answer<U: SessionPayload>(request: HttpRequest) -> Result<HttpResponse, Rejection> {
    let session = receive::<U>(&request)?;
    let below = below(request.uri().path(), request.match_info().unprocessed());
    Ok(response(session_core::routes::answer(&session, request.method().as_str(), below).await))
}

/// The part of the path as sent that the scopes around have left over. They match a decoded path, in which a slash
/// is a slash of the path as sent: `%2F` stays encoded.
fn below<'a>(sent: &'a str, left_over: &str) -> &'a str {
    match left_over.matches('/').count() {
        0 => "",
        slashes => sent.rmatch_indices('/').nth(slashes - 1).map_or("", |(start, _)| &sent[start..]),
    }
}
