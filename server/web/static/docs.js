// `validatorUrl` null: Swagger UI would otherwise show this document to a server outside.
SwaggerUIBundle({
  url: "/docs/openapi.json",
  dom_id: "#swagger",
  deepLinking: true,
  docExpansion: "list",
  validatorUrl: null,
});
