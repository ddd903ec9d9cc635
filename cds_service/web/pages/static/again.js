// Loads the page again after a moment, until a different page is returned.
setTimeout(() => location.replace(location.pathname), 2000);
