/* The page's sources, compiled into the program: <name>_begin, <name>_end. */
	.section .rodata
	.global web_style_begin, web_style_end
web_style_begin:
	.incbin "alerter/web/style.css"
web_style_end:
	.byte 0
	.section .note.GNU-stack,"",%progbits
