// Shows at once that the session has ended: by a logout in another tab, by "End" on another device, or by itself.
const socket = new WebSocket(new URL("/live", location.href).href.replace(/^http/, "ws"));
socket.addEventListener("close", event => {
    if (event.code !== 4401) return; // The network, or the server restarts: the session may go on.
    const notice = document.createElement("p");
    notice.className = "error";
    notice.setAttribute("role", "alert");
    notice.textContent = `You were signed out (${event.reason}). `;
    const login = document.createElement("a");
    login.href = "/login";
    login.textContent = "Log in";
    notice.append(login);
    // What the page showed was for the user alone.
    document.querySelector("main").replaceChildren(notice);
    document.querySelector("nav").replaceChildren();
});
