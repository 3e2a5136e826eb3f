// Shows at once that the session has ended: by a logout in another tab, by "End" on another device, or by itself.
const WHY = {
    logout: "You logged out in another window.",
    revoked: "The session was ended from elsewhere.",
    replaced: "Another one took its place in another window.",
    expired: "You did nothing here for a while, or the login has lasted as long as one may.",
    reused: "A copy of its cookie may have been used.",
};
const socket = new WebSocket(new URL("/live", location.href).href.replace(/^http/, "ws"));
socket.addEventListener("close", event => {
    if (event.code !== 4401) return; // The network, or the server restarts: the session may go on.
    const heading = document.createElement("h1");
    heading.textContent = "Signed out";
    const notice = document.createElement("p");
    notice.className = "error";
    notice.setAttribute("role", "alert");
    notice.textContent = `You were signed out. ${WHY[event.reason] ?? ""} `;
    const login = document.createElement("a");
    login.href = "/login";
    login.textContent = "Log in";
    notice.append(login);
    // What the page showed was for the user alone.
    document.querySelector("main").replaceChildren(heading, notice);
    document.querySelector("nav").replaceChildren();
    for (const part of document.querySelectorAll("#time-left, .acting")) part.remove();
    document.title = "Signed out · Session Guard Bank";
});
