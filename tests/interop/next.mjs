// What a session module of Next.js does with `jose`, and what an attacker could. One call for each run: JSON on stdin,
// JSON on stdout, the secret where such a module has it.

import { text } from "node:stream/consumers";
import { SignJWT, UnsecuredJWT, exportJWK, exportPKCS8, exportSPKI, generateKeyPair, importSPKI, jwtVerify } from "jose";

const secret = new TextEncoder().encode(process.env.JWT_SECRET);

const createToken = (user) =>
    new SignJWT({ ...user })
        .setProtectedHeader({ alg: "HS256" })
        .setIssuedAt()
        .setExpirationTime("24h")
        .sign(secret);

const calls = {
    create: ({ user }) => createToken(user),

    async renew({ token }) {
        const { payload } = await jwtVerify(token, secret, { algorithms: ["HS256"] });
        return createToken(payload);
    },

    // `publicKey` is a PEM; without one, the secret counts.
    async read({ token, publicKey, options }) {
        const checks = { algorithms: ["HS256"], ...options };
        try {
            const key = publicKey ? await importSPKI(publicKey, checks.algorithms[0]) : secret;
            const { payload, protectedHeader } = await jwtVerify(token, key, checks);
            return { header: protectedHeader, claims: payload };
        } catch (error) {
            return { refused: error.code ?? String(error) };
        }
    },

    sign: ({ header, claims }) => new SignJWT(claims).setProtectedHeader(header).sign(secret),

    unsecured: ({ claims }) => new UnsecuredJWT(claims).encode(),

    async keyPair({ alg }) {
        const { privateKey, publicKey } = await generateKeyPair(alg, { extractable: true });
        return {
            privatePem: await exportPKCS8(privateKey),
            publicPem: await exportSPKI(publicKey),
            privateJwk: await exportJWK(privateKey),
            publicJwk: await exportJWK(publicKey),
        };
    },
};

const { call, ...given } = JSON.parse(await text(process.stdin));
process.stdout.write(JSON.stringify(await calls[call](given)));
