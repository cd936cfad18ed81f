import type { NextConfig } from "next";

const config: NextConfig = {
    // Says nothing about itself.
    poweredByHeader: false,
};

export default config;
