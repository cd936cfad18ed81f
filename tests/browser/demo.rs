//! The demo, as a person uses it: one login, three frameworks.

use super::Chromium;
use crate::demo::Demo;

const FRAMEWORKS: [&str; 3] = ["axum", "actix-web", "Rocket"];
const SECONDS: &str = "Number(document.querySelector('#countdown').dataset.seconds)";
const DEVICES: &str = "document.querySelectorAll('#devices li[data-id]').length";

async fn log_in(browser: &Chromium) {
    browser.fill("#username", "alice").await;
    browser.fill("#password", "wonderland").await;
    browser.click("#login-form button[type=submit]").await;
    // Whoever leaves the page before the answer is there takes the request back.
    browser.find("#who").await;
}

async fn log_out(browser: &Chromium) {
    browser.click("#logout").await;
    browser.find("#login-form").await;
}

#[tokio::test]
async fn one_login_three_frameworks() {
    let Some(browser) = Chromium::start().await else { return };
    let demo = Demo::in_memory().await;
    for first in 0..3 {
        browser.go(&demo.url(first)).await;
        log_in(&browser).await;
        for framework in (first..first + 3).map(|framework| framework % 3) {
            browser.go(&demo.url(framework)).await;
            assert_eq!(browser.text("#framework").await, FRAMEWORKS[framework]);
            assert_eq!(browser.text("#who").await, "alice", "on {}", FRAMEWORKS[framework]);
        }
        log_out(&browser).await;
        for framework in 0..3 {
            browser.go(&demo.url(framework)).await;
            browser.find("#login-form").await;
        }
    }
    browser.stop().await;
}

#[tokio::test]
async fn a_wrong_password_stays_on_the_form() {
    let Some(browser) = Chromium::start().await else { return };
    let demo = Demo::in_memory().await;
    for framework in 0..3 {
        browser.go(&demo.url(framework)).await;
        browser.fill("#username", "alice").await;
        browser.fill("#password", "looking-glass").await;
        browser.click("#login-form button[type=submit]").await;
        browser.find("#login-error").await;
        assert_eq!(browser.count("#who").await, 0);
    }
    browser.stop().await;
}

#[tokio::test]
async fn the_countdown_moves_and_a_refresh_winds_it_up() {
    let Some(browser) = Chromium::start().await else { return };
    let demo = Demo::in_memory().await;
    browser.go(&demo.url(0)).await;
    log_in(&browser).await;
    for framework in 0..3 {
        browser.go(&demo.url(framework)).await;
        browser.find("#countdown").await;
        let start = browser.evaluate(SECONDS).await.as_u64().expect("seconds");
        assert!((86_000..=86_400).contains(&start), "{start} seconds");
        browser.until(&format!("{SECONDS} <= {start} - 2")).await;
        if framework == 0 {
            // The other two are within the grace after this one's successor was first used.
            browser.click("#refresh").await;
            browser.until(&format!("{SECONDS} >= {start} - 1")).await;
        }
        browser.until("document.querySelector('#events li[data-kind]') !== null").await;
    }
    browser.stop().await;
}

#[tokio::test]
async fn the_counter_is_one_number() {
    let Some(browser) = Chromium::start().await else { return };
    let demo = Demo::in_memory().await;
    browser.go(&demo.url(1)).await;
    log_in(&browser).await;
    for framework in 0..3 {
        browser.go(&demo.url(framework)).await;
        assert_eq!(browser.text("#visits").await, framework.to_string());
        browser.click("#visit").await;
        browser
            .until(&format!("document.querySelector('#visits').textContent === '{}'", framework + 1))
            .await;
    }
    browser.stop().await;
}

#[tokio::test]
async fn another_device_can_be_logged_out() {
    let Some(browser) = Chromium::start().await else { return };
    let demo = Demo::in_memory().await;
    browser.go(&demo.url(0)).await;
    log_in(&browser).await;
    for (framework, name) in FRAMEWORKS.into_iter().enumerate() {
        let elsewhere = demo.log_in_elsewhere(2).await;
        assert!(demo.is_logged_in(&elsewhere).await);
        browser.go(&demo.url(framework)).await;
        browser.until(&format!("{DEVICES} === 2")).await;
        browser.click("#devices button[data-revoke]").await;
        browser.until(&format!("{DEVICES} === 1")).await;
        assert!(!demo.is_logged_in(&elsewhere).await, "on {name}");
        assert_eq!(browser.text("#who").await, "alice");
    }
    browser.stop().await;
}

#[tokio::test]
async fn log_out_everywhere() {
    let Some(browser) = Chromium::start().await else { return };
    let demo = Demo::in_memory().await;
    browser.go(&demo.url(0)).await;
    log_in(&browser).await;
    for (framework, name) in FRAMEWORKS.into_iter().enumerate() {
        let elsewhere = [demo.log_in_elsewhere(0).await, demo.log_in_elsewhere(1).await];
        browser.go(&demo.url(framework)).await;
        browser.until(&format!("{DEVICES} === 3")).await;
        browser.click("#revoke-others").await;
        browser.until(&format!("{DEVICES} === 1")).await;
        for cookie in &elsewhere {
            assert!(!demo.is_logged_in(cookie).await, "on {name}");
        }
    }
    log_out(&browser).await;
    for framework in 0..3 {
        browser.go(&demo.url(framework)).await;
        browser.find("#login-form").await;
    }
    browser.stop().await;
}
