// For `globalSetup` of Vitest: one daemon for the whole run; `useMlemu` and `start` find it in the environment.

import { start } from "./index.js";

export default async function setup(project) {
  const folder = project?.config?.root ?? process.cwd();
  const daemon = await start({ project: folder });
  return () => daemon.stop();
}
