// What is shown: one object, changed in one place, that everybody listens to.

/** A store of `initial` values; listeners hear the new state and the names of what changed. */
export function makeStore(initial) {
  let state = { ...initial };
  const listeners = [];
  return {
    get: () => state,
    set(patch) {
      const changed = new Set(Object.keys(patch).filter((name) => state[name] !== patch[name]));
      if (!changed.size) return;
      state = { ...state, ...patch };
      for (const listener of listeners) listener(state, changed);
    },
    listen(listener) {
      listeners.push(listener);
      listener(state, new Set(Object.keys(state)));
    },
  };
}
