// The charts that pages and dashboard draw with, and nothing else of ECharts. To build it anew, in
// an empty folder: npm install echarts@6.1.0 esbuild, then the line below; the notices go before it.
// npx esbuild charts.mjs --bundle --minify --format=iife --legal-comments=none --outfile=echarts.min.js
import * as echarts from "echarts/core";
import { BarChart, CustomChart, HeatmapChart, LineChart, SankeyChart, ScatterChart } from "echarts/charts";
import { AriaComponent, GridComponent, LegendComponent, MarkLineComponent, TooltipComponent, VisualMapComponent } from "echarts/components";
import { SVGRenderer } from "echarts/renderers";
echarts.use([BarChart, CustomChart, HeatmapChart, LineChart, SankeyChart, ScatterChart, AriaComponent, GridComponent, LegendComponent, MarkLineComponent, TooltipComponent, VisualMapComponent, SVGRenderer]);
window.echarts = echarts;
