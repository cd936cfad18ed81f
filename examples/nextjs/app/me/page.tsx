import { redirect } from "next/navigation";

import { logout, refresh } from "@/app/actions";
import { askRust } from "@/lib/rust";
import { getSession } from "@/lib/session";

export default async function Me() {
    // proxy.ts has looked already. Whoever shows data looks as well.
    const session = await getSession();
    if (!session) redirect("/login?next=/me");
    const answer = await askRust("/rust/session");
    const status = await answer.json();
    return (
        <main>
            <h1>You, by Next.js</h1>
            <dl>
                <dt>Next.js says</dt>
                <dd id="next">{session.username}</dd>
                <dt>Rust says</dt>
                <dd id="rust">{status.isValid ? status.user.username : "nobody"}</dd>
                <dt>Session</dt>
                <dd id="sid">{session.sid}</dd>
                <dt>Logged in at</dt>
                <dd id="auth-time">{session.auth_time}</dd>
                <dt>Ends at</dt>
                <dd id="exp" data-exp={session.exp}>
                    {session.exp}
                </dd>
                <dt>Theme, which Rust does not know</dt>
                <dd id="theme">{session.theme ?? "none"}</dd>
            </dl>
            <form action={refresh}>
                <button id="refresh">Refresh</button>
            </form>
            <form action={logout}>
                <button id="logout">Log out</button>
            </form>
            <p>
                <a href="/rust/me">You, by Rust</a>
            </p>
        </main>
    );
}
