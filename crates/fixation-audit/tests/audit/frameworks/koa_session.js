// Koa with koa-session: the session is a signed cookie.
const crypto = require("node:crypto");
const Koa = require("koa");
const bodyParser = require("koa-bodyparser");
const { announce, isRight } = require("./common");

async function main() {
  const { createSession, default: byDefault } = await import("koa-session");
  const make = createSession ?? byDefault;
  const app = new Koa();
  app.keys = [crypto.randomBytes(32).toString("hex")];
  app.use(make({ sameSite: "lax" }, app));
  app.use(bodyParser());
  app.use((context) => {
    const { user, password } = context.request.body ?? {};
    switch (`${context.method} ${context.path}`) {
      case "POST /login":
        if (!isRight(user, password)) return context.throw(401);
        context.session.user = user;
        return redirect(context);
      case "GET /whoami":
        context.body = { subject: context.session.user ?? null };
        return undefined;
      case "POST /logout":
        context.session = null;
        return redirect(context);
      case "GET /":
        context.body = "welcome";
        return undefined;
      default:
        return context.throw(404);
    }
  });
  const server = app.listen(0, "127.0.0.1", () => announce(server.address().port));
}

function redirect(context) {
  context.redirect("/");
  context.status = 303;
}

main();
