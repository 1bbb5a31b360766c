/*
 * Every maximum that hostile input can push against, in one place. A limit is
 * part of the contract: passing it is VB_ELIMIT with the limit in the message.
 */
#ifndef VB_BASE_LIMITS_H
#define VB_BASE_LIMITS_H

/* GGUF */
#define VB_GGUF_KV_MAX 65536u               /* metadata entries in one file */
#define VB_GGUF_TENSORS_MAX 65536u          /* tensors in one model */
#define VB_GGUF_SPLITS_MAX 1024u            /* files of one split model */
#define VB_GGUF_STRING_BYTES_MAX (1u << 24) /* one string value, bytes */
#define VB_GGUF_KEY_BYTES_MAX 1024u         /* one key or tensor name, bytes */
#define VB_GGUF_ARRAY_ITEMS_MAX (1u << 24)  /* items of one array value */
#define VB_GGUF_DIMS_MAX 4u
#define VB_GGUF_ALIGNMENT_BYTES_MAX (1u << 16)
#define VB_GGUF_META_BYTES_MAX (1u << 29) /* everything before the tensor data of one file */

/* Models */
#define VB_MODEL_LAYERS_MAX 512u
#define VB_MODEL_WIDTH_MAX (1u << 17) /* embedding or feed-forward width */
#define VB_MODEL_HEADS_MAX 1024u
#define VB_MODEL_HEAD_DIM_MAX 1024u
#define VB_MODEL_VOCAB_MAX (1u << 20)      /* tokens */
#define VB_MODEL_CTX_TOKENS_MAX (1u << 22) /* tokens */
#define VB_BATCH_TOKENS_MAX 512u           /* tokens of one forward pass */
#define VB_THREADS_MAX 1024u               /* threads of one forward pass */
#define VB_SEQUENCES_MAX 4096u             /* sequences that a scheduler runs at once */
#define VB_QUEUE_MAX 65536u                /* requests that wait for it */

/* Tokenizer */
#define VB_TOKEN_BYTES_MAX 65536u             /* one vocabulary entry, bytes */
#define VB_TEXT_BYTES_MAX (1u << 26)          /* one text to tokenise, bytes */
#define VB_SPECIAL_TOKEN_BYTES_MAX 1024u      /* one control or user-defined token, bytes */
#define VB_TOKENIZER_MERGES_MAX (1u << 22)    /* merges of one vocabulary */
#define VB_CHAT_MESSAGES_MAX 65536u           /* messages of one prompt */
#define VB_CHAT_TEMPLATE_BYTES_MAX (1u << 20) /* a model's chat template, bytes */
#define VB_JINJA_NESTING_MAX 192u             /* statements, brackets and signs in one another */
#define VB_JINJA_DEPTH_MAX 1000u              /* evaluation inside evaluation, and nested values */
#define VB_JINJA_CALLS_MAX 64u                /* macros and recursive loops in one another */
#define VB_JINJA_STEPS_MAX 10000000u          /* of one render */
#define VB_JINJA_MEMORY_BYTES_MAX ((size_t)1 << 28) /* one compiled template, or one render */
#define VB_JINJA_RANGE_MAX 100000u /* numbers of one range(), as jinja2's sandbox has it */

/* Requests and receipts */
#define VB_STOP_STRINGS_MAX 16u
#define VB_STOP_STRING_BYTES_MAX 1024u
#define VB_STOP_TOKENS_MAX 64u
#define VB_LOGIT_BIAS_MAX 1024u
#define VB_RECEIPT_BYTES_MAX (1u << 28)    /* a receipt file, bytes */
#define VB_COMMITMENT_BYTES_MAX (1u << 20) /* a commitment or an abort record, bytes */
#define VB_OPENING_BYTES_MAX (1u << 23)    /* bytes */
#define VB_STATEMENT_BYTES_MAX (1u << 16)  /* a witness's statement, bytes */
#define VB_STATEMENT_ATTESTATIONS_MAX 8u   /* of one statement */
#define VB_QUORUM_STATEMENTS_MAX 1024u     /* held against one receipt */
#define VB_JSON_DEPTH_MAX 32u
#define VB_PATH_BYTES_MAX 4096u
#define VB_STORE_QUEUE_MAX 1024u      /* calls that wait for the store's disk; more wait outside */
#define VB_STORE_READERS_MAX 4u       /* calls that read the store at once; more wait */
#define VB_STORE_OWNER_MAX (1u << 30) /* processes that have a store open at once */
#define VB_STORE_SCHEMA_BYTES_MAX 65536u
#define VB_STORE_LIST_MAX 10000u        /* entries of one listing */
#define VB_STORE_CLIENT_BYTES_MAX 64u   /* name of the client that a record belongs to */
#define VB_AUDIT_RECORDS_MAX (1u << 24) /* receipts and aborts that are looked at together */

/* Receipts and beacons */
#define VB_RECEIPT_ID_BYTES_MAX 128u
#define VB_RECEIPT_NAME_BYTES_MAX 256u /* model name, architecture, tier and the like */
#define VB_NONCE_BYTES_MAX 256u
#define VB_CHOICES_MAX 128u
#define VB_PROMPT_MESSAGES_MAX 65536u
#define VB_BEACON_ID_BYTES_MAX 256u
#define VB_BEACON_RANDOMNESS_BYTES_MAX 64u
#define VB_BEACON_PROOF_BYTES_MAX (1u << 22)
#define VB_JSON_VALUES_MAX (1u << 24) /* values in one document */
#define VB_KEY_FILE_BYTES_MAX 4096u

/* Beacons and trust roots */
#define VB_DRAND_NAME_BYTES_MAX 64u
#define VB_ETHEREUM_HEADERS_MAX 1024u      /* headers of one proof */
#define VB_ETHEREUM_HEADER_BYTES_MAX 4096u /* one header's RLP */
#define VB_THETA_VOTES_MAX 1024u           /* votes of one proof */
#define VB_NIST_CERTIFICATE_BYTES_MAX 8192u
#define VB_MIX_PARTS_MAX 4u
#define VB_TRUST_FILE_BYTES_MAX (1u << 22)
#define VB_TRUST_ITEMS_MAX 4096u /* of each list in a trust file */
#define VB_TRUST_NAME_BYTES_MAX 64u
#define VB_TRUST_WITNESSES_MAX 256u
#define VB_WITNESS_NAME_BYTES_MAX 255u
#define VB_WITNESS_URL_BYTES_MAX 1024u
#define VB_HTTP_BYTES_MAX (1u << 23) /* one answer's body */
#define VB_HTTP_CONNECT_MS 5000u
#define VB_HTTP_TOTAL_MS 10000u
#define VB_ENDPOINTS_MAX 16u

/* Constraints on an answer's text */
#define VB_CONSTRAINT_BYTES_MAX (1u << 18)     /* a constraint in canonical JSON, bytes */
#define VB_GRAMMAR_DEPTH_MAX 32u               /* nested objects and arrays of an answer */
#define VB_GRAMMAR_SCHEMAS_MAX 8192u           /* schemas, and values of enum, that are reachable */
#define VB_GRAMMAR_ALTERNATIVES_MAX (1u << 16) /* of all schemas together */
#define VB_GRAMMAR_LITERALS_MAX (1u << 17)     /* names and values that are written out */
#define VB_GRAMMAR_PROPERTIES_MAX 256u         /* listed in one object */
#define VB_GRAMMAR_LIVE_MAX 256u               /* alternatives that one text can still be */
#define VB_GRAMMAR_SETS_MAX 4096u              /* sets of alternatives that texts can lead to */
#define VB_GRAMMAR_STEPS_MAX (1u << 24)        /* of compiling a constraint */
#define VB_GRAMMAR_COUNT_MAX 65536u            /* minItems, maxLength and the like */
#define VB_GRAMMAR_DIGITS_MAX 18u              /* of a number's whole part, and of its fraction */
#define VB_GRAMMAR_EXPONENT_DIGITS_MAX 2u
#define VB_GRAMMAR_INDENT_MAX 4u     /* spaces after a line feed, for each level */
#define VB_GRAMMAR_CHOICES_MAX 1024u /* texts of a choice */
#define VB_GRAMMAR_CHOICE_BYTES_MAX 4096u
#define VB_GRAMMAR_TOKEN_BYTES_MAX 1024u /* longer tokens are never allowed */
#define VB_GRAMMAR_MASKS_MAX 32u         /* masks that a sequence keeps */

/* The OpenAI-compatible API */
#define VB_API_REQUEST_BYTES_MAX (1u << 24) /* a request's body, bytes */
#define VB_API_VALUES_MAX (1u << 19)        /* JSON values of one request */
#define VB_API_PARAM_BYTES_MAX 160u         /* the parameter that an error names */
#define VB_API_PARTS_MAX 4096u              /* parts of one message's content */
#define VB_API_TOOLS_MAX 128u
#define VB_API_TOOL_NAME_BYTES_MAX 64u
#define VB_API_TOOL_CALLS_MAX 128u            /* of one message */
#define VB_API_TOOL_CALL_BYTES_MAX (1u << 20) /* as the model writes it; longer: it is text */
#define VB_API_SPACE_BYTES_MAX 256u       /* white space that is held back; longer: it is text */
#define VB_API_TEMPLATE_VARIABLES_MAX 64u /* of chat_template_kwargs */
#define VB_API_TOP_LOGPROBS_MAX 20u       /* of a chat's token */
#define VB_API_COMPLETION_LOGPROBS_MAX 5u /* of a completion's token */
#define VB_API_DEADLINE_MS_MAX 86400000u

/* The HTTP server */
#define VB_SERVER_REPLY_HEADERS_MAX 16u       /* of one response, beside the standard ones */
#define VB_SERVER_LINGERING_MAX 64u           /* closed connections that are still read */
#define VB_SERVER_MODELS_MAX 64u              /* models of one server */
#define VB_SERVER_MODEL_NAMES_MAX 8u          /* names of one of them */
#define VB_SERVER_KEYS_MAX 4096u              /* API keys of one file */
#define VB_SERVER_KEYS_BYTES_MAX (1u << 21)   /* the file of API keys, bytes */
#define VB_SERVER_CONFIG_BYTES_MAX (1u << 18) /* a configuration file, bytes */
#define VB_SERVER_WORKERS_MAX 64u             /* threads that prepare and settle requests */
#define VB_SERVER_LOGPROBS_MAX (1u << 21)     /* of one answer, alternatives included */
#define VB_SERVER_WITNESSES_MAX 16u           /* who cosign a server's log */

#endif
