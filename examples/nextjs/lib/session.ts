// The session of this application and of the Rust service beside it: a JWT in a cookie, signed with JWT_SECRET.
//
// No "use server" here: whatever a file of server actions exports, anybody can call with any arguments, and
// `createSession` would log them in as whom they like. The actions, which check first, are in app/actions.ts.
import "server-only";

import { randomBytes } from "node:crypto";
import { jwtVerify, SignJWT, type JWTPayload } from "jose";
import { cookies } from "next/headers";

/** What both sides know of a user. The Rust service has it as a struct with `rename_all = "camelCase"`. */
export type User = { userId: string; username: string; role: string };

/** `theme` is a claim of this side alone. The Rust service keeps it when it refreshes the session. */
export type Session = JWTPayload & User & { sid: string; auth_time: number; theme?: string };

export const COOKIE_NAME = "__Host-session";
/** A browser takes a `__Host-` cookie with these alone, an empty one that deletes it, too. */
const COOKIE_OPTIONS = { httpOnly: true, secure: true, sameSite: "lax", path: "/" } as const;

/** In seconds, as the Rust service has them by default. */
const MAX_AGE = 24 * 3600;
const REFRESH_THRESHOLD = 30 * 60;
const ABSOLUTE_LIFETIME = 30 * 24 * 3600;

export type Cookie = { name: string; value: string; maxAge: number } & typeof COOKIE_OPTIONS;

const now = () => Math.floor(Date.now() / 1000);

function secret(): Uint8Array {
    const secret = new TextEncoder().encode(process.env.JWT_SECRET);
    if (secret.length < 32) throw new Error("JWT_SECRET is not set, or has less than 32 bytes");
    return secret;
}

/** Logs this user in. Check who it is before you call this. */
export async function createSession(user: User, more: { theme?: string } = {}): Promise<void> {
    const claims = {
        ...more,
        ...user,
        // Names the session, so that a logout over there ends all its tokens, renewed ones and older copies.
        sid: randomBytes(16).toString("base64url"),
        // When the user proved who they are: a renewal does not make the login any younger.
        auth_time: now(),
    };
    (await cookies()).set(await cookie(claims, claims.auth_time + MAX_AGE));
}

/** Who is logged in. */
export async function getSession(): Promise<Session | null> {
    return verify((await cookies()).get(COOKIE_NAME)?.value);
}

/**
 * Another 24 hours, at most 30 days from the login. `false` when nobody is logged in. Only in actions and route handlers:
 * pages cannot set cookies.
 */
export async function refreshSession(): Promise<boolean> {
    const session = await getSession();
    const renewed = session && (await renew(session));
    if (renewed) (await cookies()).set(renewed);
    return session !== null;
}

/** Deletes the cookie. `cookies().delete(COOKIE_NAME)` would not: it writes one without Secure. */
export async function destroySession(): Promise<void> {
    (await cookies()).set(COOKIE_NAME, "", { ...COOKIE_OPTIONS, maxAge: 0 });
}

/** What a token says, if it is a session that has not expired. */
export async function verify(token: string | undefined): Promise<Session | null> {
    if (!token) return null;
    try {
        const checks = { algorithms: ["HS256"], audience: COOKIE_NAME, requiredClaims: ["iat", "exp", "sid", "auth_time"] };
        const { payload } = await jwtVerify<Session>(token, secret(), checks);
        return payload;
    } catch {
        return null;
    }
}

/** Whether the session is in its last half hour, and can still get more time. */
export function isRefreshDue(session: Session): boolean {
    return (session.exp ?? 0) - now() <= REFRESH_THRESHOLD;
}

/** The cookie that goes on with a session: all that the token said, for longer. */
export async function renew(session: Session): Promise<Cookie | null> {
    const expiresAt = Math.min(now() + MAX_AGE, session.auth_time + ABSOLUTE_LIFETIME);
    return expiresAt > (session.exp ?? 0) ? cookie(session, expiresAt) : null;
}

async function cookie(claims: JWTPayload, expiresAt: number): Promise<Cookie> {
    const token = new SignJWT(claims)
        .setProtectedHeader({ alg: "HS256" })
        .setAudience(COOKIE_NAME)
        .setIssuedAt()
        .setExpirationTime(expiresAt);
    return { name: COOKIE_NAME, value: await token.sign(secret()), maxAge: expiresAt - now(), ...COOKIE_OPTIONS };
}
