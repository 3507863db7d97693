SwaggerUIBundle({ url: "/docs/openapi.json", dom_id: "#swagger", deepLinking: true, docExpansion: "list" });
