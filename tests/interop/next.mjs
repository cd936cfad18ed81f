// What a session module of Next.js does with `jose`, and what an attacker could. One call for each run: JSON on stdin,
// JSON on stdout, the secret where such a module has it.

import { text } from "node:stream/consumers";
import { hkdfSync } from "node:crypto";
import {
    EncryptJWT,
    SignJWT,
    UnsecuredJWT,
    exportJWK,
    exportPKCS8,
    exportSPKI,
    flattenedDecrypt,
    generateKeyPair,
    importSPKI,
    jwtDecrypt,
    jwtVerify,
} from "jose";

const secret = new TextEncoder().encode(process.env.JWT_SECRET);

const createToken = (user) =>
    new SignJWT({ ...user })
        .setProtectedHeader({ alg: "HS256" })
        .setIssuedAt()
        .setExpirationTime("24h")
        .sign(secret);

// As the documentation of `TokenForm::Sealed` has it.
const sealingKey = (typ, realm) =>
    new Uint8Array(hkdfSync("sha256", secret, "", `session-core sealed\0${typ}\0${realm}`, 32));

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

    // With the key for this type and realm, whatever the header says.
    seal: ({ header, claims, typ, realm }) =>
        new EncryptJWT(claims).setProtectedHeader(header).encrypt(sealingKey(typ, realm)),

    async open({ token, realm, options }) {
        const checks = {
            keyManagementAlgorithms: ["dir"],
            contentEncryptionAlgorithms: ["A256GCM"],
            ...options,
        };
        try {
            const { payload, protectedHeader } = await jwtDecrypt(token, sealingKey("session+jwe", realm), checks);
            return { header: protectedHeader, claims: payload };
        } catch (error) {
            return { refused: error.code ?? String(error) };
        }
    },

    // The payload of a record: what it is bound to is additional authenticated data (RFC 7516 section 5.1, step 14).
    async openRecord({ sealed, realm, bound }) {
        const [header, , iv, ciphertext, tag] = sealed.split(".");
        try {
            const { plaintext } = await flattenedDecrypt(
                { protected: header, iv, ciphertext, tag, aad: bound },
                sealingKey("session-record+jwe", realm),
            );
            return { claims: JSON.parse(new TextDecoder().decode(plaintext)) };
        } catch (error) {
            return { refused: error.code ?? String(error) };
        }
    },

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
