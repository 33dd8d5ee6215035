/** Where a specifier leads when a module of the project imports it, as a URL. */
export const fromProject = (specifier) => import.meta.resolve(specifier);
