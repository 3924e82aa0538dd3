# One image for every service; the command names which: `up --config FILE SERVICE`.
FROM node:24.21.0-bookworm-slim AS dependencies
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
RUN npm ci --omit=dev --no-audit --no-fund

FROM node:24.21.0-bookworm-slim
ENV NODE_ENV=production CAIRN_DATA_DIR=/var/lib/cairn
WORKDIR /app
COPY --from=dependencies /app/node_modules node_modules
COPY package.json ./
COPY schemas schemas
COPY services services
RUN mkdir -p /var/lib/cairn/keys && chown -R node:node /var/lib/cairn
USER node
VOLUME /var/lib/cairn
EXPOSE 15432 8080 9464
HEALTHCHECK --interval=5s --timeout=3s --start-period=20s --retries=20 \
  CMD ["node", "-e", "fetch('http://127.0.0.1:9464/healthz').then(r => process.exit(r.ok ? 0 : 1), () => process.exit(1))"]
ENTRYPOINT ["node", "services/cli/cairn.mjs"]
