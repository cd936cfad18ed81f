import "server-only";

import { cookies } from "next/headers";

import { COOKIE_NAME } from "./session";

/** Where the Rust service listens. Browsers reach it through this application, under /rust. */
export const RUST_ORIGIN = process.env.RUST_ORIGIN ?? "http://127.0.0.1:3001";

/** Asks the Rust service in the name of who is logged in here. */
export async function askRust(path: string, method = "GET"): Promise<Response> {
    const token = (await cookies()).get(COOKIE_NAME)?.value ?? "";
    return fetch(`${RUST_ORIGIN}${path}`, {
        method,
        headers: { cookie: `${COOKIE_NAME}=${token}` },
        // Next's data cache does not look at the answer's `Cache-Control: no-store`. Without this line, a
        // `fetchCache` or `"use cache"` around it could show one user's answer to the next one.
        cache: "no-store",
    });
}
