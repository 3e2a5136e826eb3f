// Fastify with @fastify/session: a new session at the login, and its end at the logout.
const crypto = require("node:crypto");
const { announce, isRight } = require("./common");

async function main() {
  const app = require("fastify")();
  await app.register(require("@fastify/formbody"));
  await app.register(require("@fastify/cookie"));
  await app.register(require("@fastify/session"), {
    secret: crypto.randomBytes(32).toString("hex"),
    saveUninitialized: false,
    cookie: { secure: "auto", sameSite: "lax" },
  });
  app.get("/", async () => "welcome");
  app.post("/cart", async (request) => {
    request.session.cart = request.body.item;
    return "kept";
  });
  app.post("/login", async (request, reply) => {
    const { user, password } = request.body;
    if (!isRight(user, password)) return reply.code(401).send("wrong");
    await request.session.regenerate();
    request.session.user = user;
    return reply.redirect("/", 303);
  });
  app.get("/whoami", async (request) => ({ subject: request.session.user ?? null }));
  app.post("/logout", async (request, reply) => {
    await request.session.destroy();
    return reply.redirect("/", 303);
  });
  await app.listen({ port: 0, host: "127.0.0.1" });
  announce(app.server.address().port);
}

main();
