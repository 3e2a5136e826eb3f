// Warns some minutes before the session ends, and counts down. Without this script the page says when that is.
const WARN = 5 * 60; // seconds
const ASK_EVERY = 30; // seconds, while the warning shows: another tab may have been used
const box = document.getElementById("time-left");
const warning = document.getElementById("warning");
const form = box.querySelector("form"); // Not where using the site does not help.
const countdown = document.createElement("p");
countdown.className = "countdown";
countdown.setAttribute("aria-hidden", "true"); // Read out each second it would drown everything else.
let ends = Date.now() + box.dataset.seconds * 1000;
let last = "last" in box.dataset; // Whether using the site does not help.
let asked = 0;
let timer;

const left = () => Math.round((ends - Date.now()) / 1000);

async function tick() {
    clearTimeout(timer);
    if (!box.isConnected) return; // live.js has shown the end.
    if (left() <= WARN && Date.now() - asked >= ASK_EVERY * 1000) {
        asked = Date.now();
        await ask();
    }
    show();
    // No later than in an hour: a longer wait than 24 days would not be one.
    const wait = left() > WARN ? Math.min(left() - WARN, 3600) : 1;
    timer = setTimeout(tick, Math.max(wait, 1) * 1000);
}

// Asking does not keep the session alive.
async function ask() {
    try {
        const answer = await fetch("/time-left");
        if (answer.ok) {
            const told = await answer.json();
            ends = Date.now() + told.seconds * 1000;
            last = told.at_the_latest;
        } else if (answer.status === 401) location.assign("/login");
    } catch {
        // The network: the next question may be answered.
    }
}

function show() {
    const soon = left() <= WARN;
    box.classList.toggle("soon", soon);
    if (!soon) {
        warning.textContent = "";
        countdown.remove();
        return;
    }
    const when = left() > 60 ? "less than five minutes" : "less than a minute";
    const how = last ? "whatever you do here: send what you have typed" : "unless you do something here";
    const text = `You will be logged out in ${when}, ${how}.`;
    if (form) form.hidden = last;
    // Told once: an alert is read out whenever it changes.
    if (warning.textContent !== text) warning.textContent = text;
    const seconds = Math.max(left(), 0);
    countdown.textContent = `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")}`;
    if (!countdown.isConnected) warning.after(countdown);
}

// Staying needs no other page, so nothing is lost that is typed already.
form?.addEventListener("submit", async event => {
    event.preventDefault();
    try {
        await fetch(form.action, { method: "POST", body: new URLSearchParams(new FormData(form)), redirect: "manual" });
        await ask();
        show();
    } catch {
        form.submit();
    }
});
document.addEventListener("visibilitychange", tick);
tick();
