"use server";

// Each export of this file is an endpoint that anybody can call with anything: each checks what it gets.
import { redirect } from "next/navigation";

import { checkPassword } from "@/lib/accounts";
import { checkedNext } from "@/lib/next";
import { askRust } from "@/lib/rust";
import { createSession, destroySession, refreshSession } from "@/lib/session";

export async function login(form: FormData): Promise<void> {
    const user = await checkPassword(form.get("username"), form.get("password"));
    const next = checkedNext(form.get("next"));
    if (!user) redirect(`/login?${new URLSearchParams({ next, error: "wrong" })}`);
    await createSession(user, { theme: "dark" });
    redirect(next);
}

export async function refresh(): Promise<void> {
    if (!(await refreshSession())) redirect("/login");
    redirect("/me");
}

export async function logout(): Promise<void> {
    // So that a copy of the cookie opens nothing over there. A failure keeps nobody logged in here.
    await askRust("/rust/session", "DELETE").catch(() => undefined);
    await destroySession();
    redirect("/");
}
