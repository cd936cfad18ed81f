import { headers } from "next/headers";
import { auth } from "../auth";

export default async function Page() {
  const sent = await headers();
  const answer = await auth(
    new Request(`http://${sent.get("host")}/api/auth/session`, { headers: { cookie: sent.get("cookie") ?? "" } }),
  );
  const session = await answer.json();
  return <p id="name">{session?.user?.name ?? "nobody"}</p>;
}
