# One image for every role; the command names the role. Debian, because the embedded ClickHouse needs glibc.
FROM node:24-bookworm-slim AS build
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
# Not npm ci: optional packages of other platforms cannot be had everywhere.
RUN npm install --no-audit --no-fund
COPY . .
RUN npm run build:dashboard && npm prune --omit=dev --no-audit --no-fund

FROM node:24-bookworm-slim
ENV NODE_ENV=production LOGWEIR_CLUSTER_DATA_DIR=/data
WORKDIR /app
COPY --from=build /app ./
RUN mkdir /data && chown node:node /data
USER node
VOLUME /data
ENTRYPOINT ["node", "cli/main.ts"]
CMD ["--help"]
