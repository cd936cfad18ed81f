//! A login, a logout and a revocation hold on all nodes.

use super::backend::on_each_backend;
use super::fleet::Fleet;
use crate::wire::Request;

const NODES: std::ops::Range<usize> = 0..3;

on_each_backend! {
    a_login_on_one_is_read_on_the_others
    a_logout_on_one_is_refused_by_all_at_once
    devices_ended_on_one_are_refused_by_all_at_once
    an_update_on_one_is_seen_by_the_others
}

async fn a_login_on_one_is_read_on_the_others(fleet: &Fleet) {
    for home in NODES {
        let name = format!("reader-{home}");
        let mut browser = fleet.logged_in(&name, home).await;
        for other in NODES {
            assert_eq!(fleet.visit(&mut browser, other).who().await, name, "from {home} to {other}");
        }
    }
}

async fn a_logout_on_one_is_refused_by_all_at_once(fleet: &Fleet) {
    for home in NODES {
        for exit in NODES {
            let mut browser = fleet.logged_in("leaver", home).await;
            let stolen = browser.cookie();
            for node in NODES {
                fleet.visit(&mut browser, node).get("/me").await.expect(200);
            }
            fleet.visit(&mut browser, exit).post("/logout").await.expect(200);
            assert!(browser.jar.is_empty());
            for node in NODES {
                let request = Request::get("/me").cookie(&stolen);
                let refused = fleet.visit(&mut browser, node).send(request).await;
                refused.expect_error(401, "SESSION_NOT_FOUND").expect_no_cookie();
            }
        }
    }
}

async fn devices_ended_on_one_are_refused_by_all_at_once(fleet: &Fleet) {
    let mut devices = Vec::new();
    for home in NODES {
        devices.push(fleet.logged_in("owner", home).await);
    }
    let mut own = devices.pop().unwrap();
    let answer = fleet.visit(&mut own, 0).post("/session/revoke-others").await.expect(200);
    assert_eq!(answer.json()["revoked"], 2);
    for node in NODES {
        for device in &mut devices {
            fleet
                .visit(device, node)
                .get("/me")
                .await
                .expect_error(401, "SESSION_NOT_FOUND")
                .expect_no_cookie();
        }
        fleet.visit(&mut own, node).get("/me").await.expect(200);
    }
}

async fn an_update_on_one_is_seen_by_the_others(fleet: &Fleet) {
    let mut browser = fleet.logged_in("counter", 0).await;
    for round in 1..=6_u64 {
        fleet.visit(&mut browser, usize::try_from(round).unwrap()).post("/visits").await.expect(200);
        for node in NODES {
            let me = fleet.visit(&mut browser, node).get("/me").await.expect(200);
            assert_eq!(me.json()["visits"], round, "on node {node}");
        }
    }
}
