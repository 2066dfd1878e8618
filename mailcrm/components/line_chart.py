"""A line chart of two lines: an SVG of our own with labels beside it; state/chart.py makes the shapes.

The SVG stretches with the page and its strokes don't; labels are text, so they are read and translated.
"""

import reflex as rx

from mailcrm.state.tracking_rows import Column, Course, Curve, Grid


def line_chart(course: rx.Var[Course]) -> rx.Component:
    """Return the chart; what each point says is in the list that readers hear and the pointer shows."""
    return rx.el.div(
        rx.el.div(rx.foreach(course.grid, _grid), class_name="chart-grid", aria_hidden="true"),
        rx.el.svg(
            rx.el.svg.path(d=course.clicked.path, class_name="curve curve-click"),
            rx.el.svg.path(d=course.opened.path, class_name="curve curve-open"),
            view_box="0 0 1000 200",
            preserve_aspect_ratio="none",
            aria_hidden="true",
        ),
        _end(course.opened, "open"),
        _end(course.clicked, "click"),
        rx.el.ol(rx.foreach(course.columns, _column), class_name="chart-columns"),
        class_name="chart",
        data_testid="report-chart",
    )


def _grid(row: rx.Var[Grid]) -> rx.Component:
    return rx.el.div(rx.el.span(row.label, class_name="num"), style={"insetBlockStart": f"{row.y}%"})


def _end(curve: rx.Var[Curve], kind: str) -> rx.Component:
    return rx.cond(
        curve.end != "",
        rx.el.span(
            curve.end,
            class_name=f"curve-end curve-end-{kind} num",
            style={"insetBlockStart": f"{curve.y}%"},
            aria_hidden="true",
        ),
    )


def _column(row: rx.Var[Column]) -> rx.Component:
    return rx.el.li(
        rx.el.span(row.said, class_name="chart-said"),
        rx.el.span(row.day, class_name="chart-day num", aria_hidden="true"),
        style={"insetInlineStart": f"{row.x}%"},
    )
