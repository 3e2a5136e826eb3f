// Express with express-session and Passport, as in Passport's tutorial. With `plain`: express-session alone, and no new
// session at the login.
const crypto = require("node:crypto");
const express = require("express");
const session = require("express-session");
const passport = require("passport");
const { Strategy } = require("passport-local");
const { announce, isRight } = require("./common");

const plain = process.argv[2] === "plain";
const app = express();
app.use(express.urlencoded({ extended: false }));
app.use(
  session({
    secret: crypto.randomBytes(32).toString("hex"),
    resave: false,
    saveUninitialized: plain,
    cookie: { sameSite: "lax" },
  }),
);
app.use(passport.initialize());
app.use(passport.session());
passport.use(
  new Strategy({ usernameField: "user" }, (user, password, done) =>
    done(null, isRight(user, password) ? { name: user } : false),
  ),
);
passport.serializeUser((user, done) => done(null, user.name));
passport.deserializeUser((name, done) => done(null, { name }));

app.get("/", (request, response) => response.send("welcome"));
app.post("/cart", (request, response) => {
  request.session.cart = request.body.item;
  response.send("kept");
});
if (plain) {
  app.post("/login", (request, response) => {
    const { user, password } = request.body;
    if (!isRight(user, password)) return response.sendStatus(401);
    request.session.user = user;
    response.redirect(303, "/");
  });
  app.post("/logout", (request, response) => request.session.destroy(() => response.redirect(303, "/")));
} else {
  app.post("/login", passport.authenticate("local"), (request, response) => response.redirect(303, "/"));
  app.post("/logout", (request, response, next) =>
    request.logout((error) => (error ? next(error) : response.redirect(303, "/"))),
  );
}
app.get("/whoami", (request, response) =>
  response.json({ subject: (plain ? request.session.user : request.user?.name) ?? null }),
);
const server = app.listen(0, "127.0.0.1", () => announce(server.address().port));
