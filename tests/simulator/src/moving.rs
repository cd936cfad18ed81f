//! People who come from the other system: several requests at once, and again when they have been logged out.

use std::sync::Arc;

use crate::browser::Browser;
use crate::clock::since_the_beginning;
use crate::events::pause;
use crate::happened::Happened;
use crate::visa::Visa;
use crate::visit::{Wish, visit};
use crate::world::World;

pub(crate) fn begin(world: &Arc<World>) {
    if world.settings.moving.is_none() {
        return;
    }
    world.stage.count(Happened::MovingRun);
    for browser in &world.browsers {
        if world.stage.random().chance(700) {
            log_in_there(world, browser, world.settings.times.absolute / 2);
        }
    }
    world.stage.spawn(arrive(Arc::clone(world)));
    world.stage.spawn(come_again(Arc::clone(world)));
    world.stage.spawn(come_last(Arc::clone(world)));
}

/// At most so many seconds ago.
fn log_in_there(world: &World, browser: &Browser, longest: u64) {
    let (account, age, life) = {
        let mut random = world.stage.random();
        let age = random.within(0..=longest);
        let life = age + random.within(60..=world.settings.times.absolute + 200);
        (random.index(world.settings.accounts), age, life)
    };
    match world.other.log_in(&world.settings, account, world.next_login(), (age, life)) {
        Some(visa) => {
            world.stage.note(|| format!("browser {} comes with {visa:?}", browser.number));
            world.oracle.is_issued(&visa);
            browser.comes_with(visa);
        }
        None => world.stage.fail(|| "the other system gave nobody a cookie".to_owned()),
    }
}

/// A browser that comes for the first time, and asks for many things at once.
async fn arrive(world: Arc<World>) {
    let mut number = 300;
    while pause(&world, 120_000).await {
        number += 1;
        let browser = Arc::new(Browser::new(number, None));
        log_in_there(&world, &browser, 60);
        let at_once = world.stage.random().pick(&[1, 3, 8]);
        for _ in 0..at_once {
            let wish = {
                let mut random = world.stage.random();
                let usual = random.pick(&[Wish::Use, Wish::Use, Wish::Refresh, Wish::Update, Wish::Look]);
                if random.chance(40) { random.pick(&[Wish::LogOut, Wish::Rotate]) } else { usual }
            };
            world.stage.spawn(visit(Arc::clone(&world), Arc::clone(&browser), wish));
        }
        world.stage.spawn(stay(Arc::clone(&world), browser));
    }
}

async fn stay(world: Arc<World>, browser: Arc<Browser>) {
    for _ in 0..6 {
        if !pause(&world, 40_000).await {
            return;
        }
        let wish = {
            let mut random = world.stage.random();
            let usual = random.pick(&[Wish::Use, Wish::Update, Wish::Update, Wish::StepUp, Wish::List]);
            let ends = random.pick(&[Wish::LogOut, Wish::Rotate, Wish::RevokeOthers, Wish::RevokeAll]);
            if random.chance(150) { ends } else { usual }
        };
        visit(Arc::clone(&world), Arc::clone(&browser), wish).await;
    }
}

/// Somebody has a copy of the other system's cookie: most often of a session that was ended here, which must bring nobody in.
async fn come_again(world: Arc<World>) {
    let are_copied = world.settings.moving.as_ref().is_some_and(|moving| moving.are_copied);
    while pause(&world, 60_000).await {
        let Some(visa) = world.other.any(&mut world.stage.random()) else { continue };
        if !world.oracle.is_out(visa.serial) {
            if !are_copied {
                continue;
            }
            world.oracle.is_copied(visa.serial);
        }
        world.stage.count(Happened::CameAgain);
        show_again(&world, visa);
    }
}

/// Sessions end just before adopting does, when by some clocks it is over: what they kept out must stay out by the others, too.
async fn come_last(world: Arc<World>) {
    let Some(moving) = &world.settings.moving else { return };
    let (skew, over) = (world.settings.weather.skew, since_the_beginning(moving.until));
    let early = world.stage.random().within(0..=skew + 2_000);
    world.stage.sleep_until(over.saturating_sub(early)).await;
    if world.stage.now() > world.settings.end {
        return;
    }
    let browser = Arc::new(Browser::new(900, None));
    log_in_there(&world, &browser, world.settings.times.absolute / 2);
    let Some(visa) = browser.visa() else { return };
    let wish = world.stage.random().pick(&[Wish::LogOut, Wish::RevokeAll, Wish::Use]);
    visit(Arc::clone(&world), browser, wish).await;
    for _ in 0..3 {
        pause(&world, skew / 2).await;
        show_again(&world, Arc::clone(&visa));
    }
}

fn show_again(world: &Arc<World>, visa: Arc<Visa>) {
    let browser = Arc::new(Browser::new(600, None));
    world.stage.note(|| format!("a copy of {:?} is shown", visa.serial));
    browser.comes_with(visa);
    let at_once = world.stage.random().pick(&[1, 2, 3]);
    for _ in 0..at_once {
        let wish =
            world.stage.random().pick(&[Wish::Use, Wish::Use, Wish::Update, Wish::Refresh, Wish::Look]);
        world.stage.spawn(visit(Arc::clone(world), Arc::clone(&browser), wish));
    }
}
