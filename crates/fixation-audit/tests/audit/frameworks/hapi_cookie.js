// hapi with @hapi/cookie: a sealed cookie with the number of a session that is kept on the server.
const crypto = require("node:crypto");
const Hapi = require("@hapi/hapi");
const { announce, isRight } = require("./common");

async function main() {
  const sessions = new Map();
  const server = Hapi.server({ port: 0, host: "127.0.0.1" });
  await server.register(require("@hapi/cookie"));
  server.auth.strategy("session", "cookie", {
    cookie: { name: "sid", password: crypto.randomBytes(32).toString("hex"), isSecure: false, path: "/" },
    validate: async (request, session) => {
      const user = sessions.get(session.number);
      return user ? { isValid: true, credentials: { user } } : { isValid: false };
    },
  });
  server.auth.default({ strategy: "session", mode: "try" });
  const route = (method, path, handler) => server.route({ method, path, handler });
  route("GET", "/", () => "welcome");
  route("POST", "/login", (request, h) => {
    const { user, password } = request.payload;
    if (!isRight(user, password)) return h.response("wrong").code(401);
    if (request.auth.artifacts) sessions.delete(request.auth.artifacts.number);
    const number = crypto.randomUUID();
    sessions.set(number, user);
    request.cookieAuth.set({ number });
    return h.redirect("/").code(303);
  });
  route("GET", "/whoami", (request) => ({ subject: request.auth.credentials?.user ?? null }));
  route("POST", "/logout", (request, h) => {
    if (request.auth.artifacts) sessions.delete(request.auth.artifacts.number);
    request.cookieAuth.clear();
    return h.redirect("/").code(303);
  });
  await server.start();
  announce(server.info.port);
}

main();
