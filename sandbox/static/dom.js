// What the parts of the page share: elements, and requests to the sandbox.

export const byId = (id) => document.getElementById(id);

export async function call(method, path, document) {
  const options = { method, headers: { "Content-Type": "application/json" } };
  if (document !== undefined) options.body = JSON.stringify(document);
  const response = await fetch(path, options);
  return response.json();
}

export function make(tag, className, ...children) {
  const node = document.createElement(tag);
  if (className) node.className = className;
  node.append(...children.filter((child) => child !== null && child !== undefined));
  return node;
}
