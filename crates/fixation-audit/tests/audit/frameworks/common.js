// The accounts, and serving on a free port of this machine. The address is the first line on standard output.
const PASSWORDS = { alice: "alice-password", bob: "bob-password" };

function announce(port) {
  console.log(`listening on http://127.0.0.1:${port}`);
}

function isRight(user, password) {
  return Object.hasOwn(PASSWORDS, user) && PASSWORDS[user] === password;
}

module.exports = { announce, isRight };
