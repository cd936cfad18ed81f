import { Auth } from "@auth/core";
import Credentials from "@auth/core/providers/credentials";

const config = {
  basePath: "/api/auth",
  secret: process.env.SECRET,
  trustHost: true,
  session: { strategy: "jwt" },
  providers: [
    Credentials({
      credentials: { username: {}, password: { type: "password" } },
      authorize: ({ username, password }) =>
        username === "alice" && password === "wonderland" ? { id: "u-alice", name: username } : null,
    }),
  ],
};

export const auth = (request) => Auth(request, config);
