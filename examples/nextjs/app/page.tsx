import { getSession } from "@/lib/session";

export default async function Home() {
    const session = await getSession();
    return (
        <main>
            <h1>One login, two languages</h1>
            <p id="home-who">{session ? session.username : "nobody"}</p>
            <p>
                <a href="/me">You, by Next.js</a> · <a href="/rust/me">You, by Rust</a> · <a href="/login">Log in</a>
            </p>
        </main>
    );
}
