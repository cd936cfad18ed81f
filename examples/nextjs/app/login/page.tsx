import { login } from "@/app/actions";
import { checkedNext } from "@/lib/next";

type Query = Promise<{ next?: string; error?: string }>;

export default async function Login({ searchParams }: { searchParams: Query }) {
    const { next, error } = await searchParams;
    const way = checkedNext(next);
    return (
        <main>
            <h1>Log in</h1>
            <p>As alice / wonderland or bob / builder, on whichever side you like: the other one knows you, too.</p>
            {error && <p id="error">Wrong name or password.</p>}
            <Form id="by-next" title="By Next.js" action={login} next={way} />
            <Form id="by-rust" title="By Rust" action="/rust/login" next={way} />
        </main>
    );
}

type Way = { id: string; title: string; action: string | ((form: FormData) => Promise<void>); next: string };

function Form({ id, title, action, next }: Way) {
    return (
        <form id={id} action={action} method={typeof action === "string" ? "post" : undefined}>
            <h2>{title}</h2>
            <input type="hidden" name="next" value={next} />
            <input name="username" placeholder="Name" autoComplete="username" />
            <input name="password" type="password" placeholder="Password" autoComplete="current-password" />
            <button>Log in</button>
        </form>
    );
}
