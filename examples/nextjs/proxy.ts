// What happens before a page: the way to the Rust service, and what pages cannot do, which is to set cookies.
import { NextResponse, type NextRequest } from "next/server";

import { COOKIE_NAME, isRefreshDue, renew, verify } from "@/lib/session";

const RUST_ORIGIN = process.env.RUST_ORIGIN ?? "http://127.0.0.1:3001";
const NEEDS_LOGIN = ["/me"];

export async function proxy(request: NextRequest): Promise<NextResponse> {
    const { pathname, search } = request.nextUrl;
    if (pathname === "/rust" || pathname.startsWith("/rust/")) return toRust(request);

    const session = await verify(request.cookies.get(COOKIE_NAME)?.value);
    if (!session && NEEDS_LOGIN.includes(pathname)) {
        const login = new URL("/login", request.url);
        login.searchParams.set("next", pathname + search);
        return NextResponse.redirect(login, 303);
    }
    const renewed = session && isRefreshDue(session) ? await renew(session) : null;
    if (!renewed) return NextResponse.next();
    // The page sees the new token at once, and so does the browser.
    request.cookies.set(renewed.name, renewed.value);
    const response = NextResponse.next({ request });
    response.cookies.set(renewed);
    return response;
}

/**
 * The request as it is, but for `Host`, which becomes the service's own. `X-Forwarded-For` is not to be trusted there
 * unless a proxy before this application writes it: what a client sent in it, Next.js passes on.
 */
function toRust(request: NextRequest): NextResponse {
    const { pathname, search } = request.nextUrl;
    return NextResponse.rewrite(new URL(pathname + search, RUST_ORIGIN), { request });
}

export const config = { matcher: ["/((?!_next/|favicon.ico).*)"] };
