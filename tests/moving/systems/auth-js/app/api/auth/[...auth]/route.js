import { auth } from "../../../../auth";

export const GET = auth;
export const POST = auth;
