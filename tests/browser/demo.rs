//! The demo, as a person uses it: one login, three frameworks.

use serde_json::json;

use super::Chromium;
use crate::demo::Demo;
use crate::harness::World;
use crate::wire::Request;

pub(super) const FRAMEWORKS: [&str; 3] = ["axum", "actix-web", "Rocket"];
const SECONDS: &str = "Number(document.querySelector('#countdown').dataset.seconds)";
pub(super) const DEVICES: &str = "document.querySelectorAll('#devices li[data-id]').length";

pub(super) async fn log_in(browser: &Chromium) {
    give_password(browser, "alice", "wonderland").await;
    // Whoever leaves the page before the answer is there takes the request back.
    browser.find("#who").await;
}

pub(super) async fn give_password(browser: &Chromium, username: &str, password: &str) {
    browser.fill("#username", username).await;
    browser.fill("#password", password).await;
    browser.click("#login-form button[type=submit]").await;
}

pub(super) async fn log_out(browser: &Chromium) {
    browser.click("#logout").await;
    browser.find("#login-form").await;
}

/// The page asks how the session stands, without using it: as when the network is back.
pub(super) const ASK: &str = "dispatchEvent(new Event('online'))";

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

/// The page has asked everything that it asks by itself: what comes now, the test has done.
const AT_REST: &str =
    "latestAt < Infinity && document.querySelector('#devices li') && document.querySelector('#events li')";

/// Whether a toast with this text is there: true or false in the page, since it goes by itself.
pub(super) fn said(region: &str, text: &str) -> String {
    format!("document.querySelector('{region} .toast p').textContent.includes('{text}')")
}

/// Where everything is on the page.
const PLACES: &str = "JSON.stringify([...document.querySelectorAll('h1, h2, .card, button:not(.toast *)')]
    .map((element) => element.getBoundingClientRect())
    .filter(({ height }) => height > 0)
    .map(({ top, height }) => [Math.round(top + scrollY), height]))";

#[tokio::test]
async fn a_notice_is_a_toast_and_an_error_an_alert_and_nothing_moves() {
    let Some(browser) = Chromium::start().await else { return };
    let demo = Demo::in_memory().await;
    browser.go(&demo.url(0)).await;
    log_in(&browser).await;
    for (framework, name) in FRAMEWORKS.into_iter().enumerate() {
        browser.go(&demo.url(framework)).await;
        browser.until(AT_REST).await;
        let before = browser.evaluate(PLACES).await;
        browser.evaluate("window.fetch = () => Promise.reject()").await;
        browser.click("#visit").await;
        browser.until(&said("#alert[role=alert]", "The server does not answer.")).await;
        assert_eq!(browser.evaluate(PLACES).await, before, "on {name}");
        browser.click("#alert .close").await;
        assert_eq!(browser.count(".toast:not([hidden])").await, 0);

        browser.go(&demo.url(framework)).await;
        browser.click("#refresh").await;
        browser.until(&said("#notice[role=status][aria-live=polite]", "ou stay logged in until")).await;
        assert_eq!(
            browser.evaluate("getComputedStyle(document.querySelector('.overlay')).position").await,
            "fixed"
        );
        browser.evaluate("dispatchEvent(new KeyboardEvent('keydown', { key: 'Escape' }))").await;
        assert_eq!(browser.count(".toast:not([hidden])").await, 0);
    }
    browser.stop().await;
}

#[tokio::test]
async fn the_end_is_told_before_and_can_be_put_off() {
    let Some(browser) = Chromium::start().await else { return };
    let world = World::new();
    let demo = Demo::of(&world).await;
    browser.go(&demo.url(0)).await;
    log_in(&browser).await;
    for framework in 0..3 {
        browser.go(&demo.url(framework)).await;
        browser.until(AT_REST).await;
        assert!(!browser.find("#warning").await.is_displayed().await.unwrap());
        world.advance(86_400 - 60);
        browser.evaluate(ASK).await;
        browser.until("document.querySelector('#warning').checkVisibility()").await;
        browser.until("/^Ends in (1 minute|\\d+ seconds):$/.test(document.querySelector('#warning-text').textContent)").await;
        assert!(
            browser
                .evaluate("document.querySelector('#spoken').textContent")
                .await
                .as_str()
                .unwrap()
                .contains("ends in")
        );
        browser.click("#stay").await;
        browser
            .until(&format!("{SECONDS} > 86000 && !document.querySelector('#warning').checkVisibility()"))
            .await;
        browser.until(&said("#notice", "You stay logged in until")).await;
        assert_eq!(browser.evaluate("document.activeElement.id").await, "title");
    }
    browser.stop().await;
}

#[tokio::test]
async fn who_was_logged_out_is_told_why_it_expired() {
    let Some(browser) = Chromium::start().await else { return };
    let world = World::new();
    let demo = Demo::of(&world).await;
    for (framework, name) in FRAMEWORKS.into_iter().enumerate() {
        browser.go(&demo.url(framework)).await;
        log_in(&browser).await;
        world.advance(86_400);
        browser.evaluate(ASK).await;
        browser.find("#login-form").await;
        assert_eq!(
            browser.text("#reason").await,
            "Your session has expired. Log in again to go on.",
            "on {name}"
        );
        browser.evaluate("sessionStorage.removeItem('left-at')").await;
    }
    browser.stop().await;
}

#[tokio::test]
async fn who_was_logged_out_is_told_why_another_device_did_it() {
    let Some(browser) = Chromium::start().await else { return };
    let demo = Demo::in_memory().await;
    for (framework, name) in FRAMEWORKS.into_iter().enumerate() {
        browser.go(&demo.url(framework)).await;
        log_in(&browser).await;
        browser.until(&format!("{DEVICES} === 1")).await;
        let elsewhere = demo.log_in_elsewhere(2).await;
        demo.revoke_another(framework.try_into().unwrap(), &elsewhere).await;
        browser.evaluate(ASK).await;
        browser.find("#login-form").await;
        let reason = browser.text("#reason").await;
        assert!(reason.starts_with("You were logged out from elsewhere"), "{reason} on {name}");
        // Who it was is for the owner, not for whoever sits here.
        log_in(&browser).await;
        let by = "ended: logged out from elsewhere by Firefox on Linux from 127.0.0.1";
        browser.until(&said("#notice", by)).await;
        browser.evaluate("clearToasts()").await;
        log_out(&browser).await;
        assert_eq!(browser.text("#reason").await, "You are logged out, on all three frameworks.");
        demo.send(0, Request::delete("/session").cookie(&elsewhere)).await.expect(204);
        browser.evaluate("sessionStorage.removeItem('left-at')").await;
    }
    browser.stop().await;
}

#[tokio::test]
async fn who_was_logged_out_is_told_why_another_tab_did_it() {
    let Some(browser) = Chromium::start().await else { return };
    let demo = Demo::in_memory().await;
    browser.go(&demo.url(0)).await;
    log_in(&browser).await;
    let first = browser.page.window().await.unwrap();
    let second = browser.page.new_window(true).await.unwrap().handle;
    browser.page.switch_to_window(second).await.unwrap();
    browser.go(&demo.url(2)).await;
    log_out(&browser).await;
    browser.page.switch_to_window(first).await.unwrap();
    browser.evaluate(ASK).await;
    browser.find("#login-form").await;
    assert_eq!(browser.text("#reason").await, "You logged out in another tab of this browser.");
    browser.stop().await;
}

#[tokio::test]
async fn equal_devices_can_be_told_apart() {
    let Some(browser) = Chromium::start().await else { return };
    let demo = Demo::of(&World::new()).await;
    browser.go(&demo.url(0)).await;
    log_in(&browser).await;
    for _ in 0..2 {
        demo.log_in_elsewhere(1).await;
    }
    browser.go(&demo.url(0)).await;
    browser.until(&format!("{DEVICES} === 3")).await;
    let labels = "new Set([...document.querySelectorAll('[data-revoke]')].map((button) => button.ariaLabel))";
    assert_eq!(browser.evaluate(&format!("{labels}.size")).await, 2);
    let label = "/^Log out Firefox on Linux, logged in .*\\d:\\d\\d:\\d\\d/.test(label)";
    assert_eq!(browser.evaluate(&format!("[...{labels}].every((label) => {label})")).await, true);
    assert!(browser.text("#devices [data-current]").await.contains("Last seen"));
    browser.stop().await;
}

#[tokio::test]
async fn without_javascript_nothing_is_dead() {
    let Some(browser) = Chromium::start().await else { return };
    let demo = Demo::in_memory().await;
    browser.devtools("Emulation.setScriptExecutionDisabled", json!({ "value": true })).await;
    for framework in 0..3 {
        browser.go(&demo.url(framework)).await;
        assert_eq!(shown(&browser, "button").await, ["Log in"]);
        assert!(browser.text("noscript .accounts, .login").await.contains("wonderland"));
        log_in(&browser).await;
        let buttons = ["Log out", "Set up", "Look as bob", "Make bob an admin"];
        assert_eq!(shown(&browser, "button").await, buttons);
        assert_eq!(shown(&browser, "h2, #countdown").await, ["Second factor", "Other accounts"]);
        assert!(browser.text(".about .lead").await.contains(" UTC otherwise"));
        log_out(&browser).await;
    }
    browser.stop().await;
}

/// The texts of the elements that can be seen.
pub(super) async fn shown(browser: &Chromium, css: &str) -> Vec<String> {
    let mut texts = Vec::new();
    for element in browser.page.find_all(fantoccini::Locator::Css(css)).await.unwrap() {
        if element.is_displayed().await.unwrap() {
            texts.push(element.text().await.unwrap());
        }
    }
    texts
}

/// The texts whose contrast is below 4.5 to 1 (WCAG 2.2, 1.4.3), with the ratio. Colours are what a canvas makes of them.
pub(super) const TOO_PALE: &str = "(() => {
    const context = Object.assign(document.createElement('canvas'), { width: 1, height: 1 }).getContext('2d', { willReadFrequently: true });
    const paint = (colours) => {
        for (const colour of ['#fff', ...colours]) { context.fillStyle = colour; context.fillRect(0, 0, 1, 1); }
        return [...context.getImageData(0, 0, 1, 1).data].slice(0, 3);
    };
    const light = (rgb) => rgb.map((part) => part / 255)
        .map((part) => part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4)
        .reduce((sum, part, at) => sum + part * [0.2126, 0.7152, 0.0722][at], 0);
    const below = (element) => element ? [...below(element.parentElement), getComputedStyle(element).backgroundColor] : [];
    const pale = [];
    const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    while (texts.nextNode()) {
        const element = texts.currentNode.parentElement;
        if (!texts.currentNode.data.trim() || !element.checkVisibility() || element.closest('noscript')) continue;
        const grounds = below(element);
        const [a, b] = [light(paint(grounds)), light(paint([...grounds, getComputedStyle(element).color]))];
        const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
        if (ratio < 4.5 || getComputedStyle(element).opacity !== '1') pale.push(`${texts.currentNode.data.trim()}: ${ratio}`);
    }
    return pale;
})()";

#[tokio::test]
async fn every_text_has_contrast_by_day_and_by_night() {
    let Some(browser) = Chromium::start().await else { return };
    let demo = Demo::in_memory().await;
    for scheme in ["light", "dark"] {
        let scheme = json!([{ "name": "prefers-color-scheme", "value": scheme }]);
        browser.devtools("Emulation.setEmulatedMedia", json!({ "features": scheme })).await;
        for framework in 0..3 {
            let url = demo.url(framework);
            browser.go(&url).await;
            assert_eq!(browser.evaluate(TOO_PALE).await, json!([]), "{url} {scheme}");
            log_in(&browser).await;
            browser.click("#refresh").await;
            browser.until(&format!("{DEVICES} > 0")).await;
            browser
                .evaluate(
                    "(notice('A notice.'), alarm('An error.'), byId('warning').hidden = false, warn(60))",
                )
                .await;
            browser.until("document.getAnimations().length === 0").await;
            assert_eq!(browser.evaluate(TOO_PALE).await, json!([]), "{url} {scheme}");
            browser.go(&format!("{url}nothing")).await;
            assert_eq!(browser.text("#status").await, "404");
            assert_eq!(browser.evaluate(TOO_PALE).await, json!([]), "{url}nothing {scheme}");
            browser.go(&url).await;
            log_out(&browser).await;
        }
    }
    browser.stop().await;
}

#[tokio::test]
async fn forced_colours_keep_the_active_tab() {
    let Some(browser) = Chromium::start().await else { return };
    let demo = Demo::in_memory().await;
    let forced = json!([{ "name": "forced-colors", "value": "active" }]);
    browser.devtools("Emulation.setEmulatedMedia", json!({ "features": forced })).await;
    for (framework, name) in FRAMEWORKS.into_iter().enumerate() {
        browser.go(&demo.url(framework)).await;
        let ground = |css: &str| format!("getComputedStyle(document.querySelector('{css}')).backgroundColor");
        let active = browser.evaluate(&ground(".tabs [aria-current]")).await;
        assert_ne!(active, browser.evaluate(&ground(".tabs a:not([aria-current])")).await);
        assert_ne!(active, browser.evaluate(&ground(".tabs")).await);
        assert_eq!(browser.evaluate(TOO_PALE).await, json!([]), "on {name}");
    }
    browser.stop().await;
}
