// iron-session: the session is sealed into the cookie.
const crypto = require("node:crypto");
const http = require("node:http");
const { announce, isRight } = require("./common");

async function main() {
  const { getIronSession } = await import("iron-session");
  const options = {
    password: crypto.randomBytes(32).toString("hex"),
    cookieName: "sealed",
    cookieOptions: { secure: false },
  };
  const server = http.createServer((request, response) =>
    // A seal of somebody else's making is an error for iron-session, and for a framework around it a status.
    handle(request, response).catch(() => response.writeHead(500).end()),
  );
  async function handle(request, response) {
    let body = "";
    for await (const chunk of request) body += chunk;
    const session = await getIronSession(request, response, options);
    const fields = new URLSearchParams(body);
    switch (`${request.method} ${request.url.split("?")[0]}`) {
      case "POST /login":
        if (!isRight(fields.get("user"), fields.get("password"))) {
          response.writeHead(401).end("wrong");
          return;
        }
        session.user = fields.get("user");
        await session.save();
        response.writeHead(303, { location: "/" }).end();
        return;
      case "GET /whoami":
        response.setHeader("content-type", "application/json");
        response.end(JSON.stringify({ subject: session.user ?? null }));
        return;
      case "POST /logout":
        session.destroy();
        response.writeHead(303, { location: "/" }).end();
        return;
      case "GET /":
        response.end("welcome");
        return;
      default:
        response.writeHead(404).end();
    }
  }
  server.listen(0, "127.0.0.1", () => announce(server.address().port));
}

main();
