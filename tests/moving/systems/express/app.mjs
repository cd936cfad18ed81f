// Logins by express-session, kept in Redis. Ends when its input ends.
import { RedisStore } from "connect-redis";
import express from "express";
import session from "express-session";
import { createClient } from "redis";

process.stdin.on("end", () => process.exit()).resume();
const client = await createClient({ url: process.env.REDIS_URL }).connect();
const app = express();
app.use(express.urlencoded({ extended: false }));
app.use(
  session({
    store: new RedisStore({ client }),
    secret: process.env.SECRET,
    resave: false,
    saveUninitialized: false,
    cookie: { maxAge: 24 * 3600 * 1000 },
  }),
);
app.get("/login", (_, response) =>
  response.send(
    '<form method="post"><input name="username"><input name="password" type="password"><button>Log in</button></form>',
  ),
);
app.post("/login", (request, response, next) => {
  const { username, password } = request.body;
  if (username !== "alice" || password !== "wonderland") return response.sendStatus(401);
  request.session.regenerate((error) => {
    if (error) return next(error);
    request.session.name = username;
    response.redirect("/");
  });
});
app.get("/", (request, response) => response.send(`<p id="name">${request.session.name ?? "nobody"}</p>`));
const server = app.listen(0, "127.0.0.1", () => console.log(server.address().port));
