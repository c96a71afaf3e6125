/** A certificate for localhost that nobody trusts, and its key, for tests alone; good for a hundred years. */
const cert = `-----BEGIN CERTIFICATE-----
MIIBmzCCAUGgAwIBAgIUN/MAm7jRBJFit4yorV7GTuURGNQwCgYIKoZIzj0EAwIw
FDESMBAGA1UEAwwJbG9jYWxob3N0MCAXDTI2MTEyMTEzNTYwNFoYDzIxMjYxMDI4
MTM1NjA0WjAUMRIwEAYDVQQDDAlsb2NhbGhvc3QwWTATBgcqhkjOPQIBBggqhkjO
PQMBBwNCAARroAD14u4/ym4FS5fUX5wWu71bxjRlsGSJJV4xjbz9uIXKOIhh2xRc
EL0vGNkMhaPXkNiIwF1a1BzG7hWAP+2ko28wbTAdBgNVHQ4EFgQU1MQS00D5+YnW
+rc1vJFjt+uAhEMwHwYDVR0jBBgwFoAU1MQS00D5+YnW+rc1vJFjt+uAhEMwDwYD
VR0TAQH/BAUwAwEB/zAaBgNVHREEEzARgglsb2NhbGhvc3SHBH8AAAEwCgYIKoZI
zj0EAwIDSAAwRQIhAM+melUToxRlwgHuAC5FRMrANvQ3tI0F7Kcs5W+iOJl6AiAM
egDt1D60EedqWbUTzzzTN0VRzm9UReKL3JjjIH8QGw==
-----END CERTIFICATE-----
`;
const key = `-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgvRRn+7pLuRdNInxw
4llMkAUDocibOr+eLSptACiJ1pWhRANCAARroAD14u4/ym4FS5fUX5wWu71bxjRl
sGSJJV4xjbz9uIXKOIhh2xRcEL0vGNkMhaPXkNiIwF1a1BzG7hWAP+2k
-----END PRIVATE KEY-----
`;

export const testCertificate = (): { cert: string; key: string } => ({ cert, key });
