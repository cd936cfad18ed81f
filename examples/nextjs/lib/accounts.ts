import "server-only";

import type { User } from "./session";

// Yours are in a database, with hashes of passwords. The Rust service of this example knows the same two.
const ACCOUNTS = [
    { userId: "u-1", username: "alice", role: "admin", password: "wonderland" },
    { userId: "u-2", username: "bob", role: "user", password: "builder" },
];

export async function checkPassword(username: unknown, password: unknown): Promise<User | null> {
    const account = ACCOUNTS.find((account) => account.username === username && account.password === password);
    return account ? { userId: account.userId, username: account.username, role: account.role } : null;
}
